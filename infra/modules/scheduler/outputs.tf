output "schedules" {
  value = {
    for name, job in google_cloud_scheduler_job.this : name => {
      cron      = job.schedule
      time_zone = job.time_zone
      retries   = job.retry_config[0].retry_count
      type      = job.pubsub_target[0].attributes.type
    }
  }
}
