# A timer publishes its tick to the topic of all events: Cloud Scheduler's own agent does, so that no account is needed.

resource "google_cloud_scheduler_job" "this" {
  for_each = { for schedule in var.schedules : schedule.name => schedule }

  name             = "omni-${each.key}"
  region           = var.region
  schedule         = each.value.cron
  time_zone        = each.value.timeZone
  attempt_deadline = "60s"
  paused           = var.paused

  retry_config {
    retry_count          = each.value.retries
    min_backoff_duration = "5s"
    max_backoff_duration = "60s"
    max_doublings        = 4
  }

  pubsub_target {
    topic_name = var.topic_id
    data       = base64encode(jsonencode(each.value.data))
    attributes = { type = each.value.eventType }
  }
}
