mock_provider "google" {}

variables {
  region   = "europe-west1"
  topic_id = "projects/omni-test/topics/events"
  schedules = [
    { name = "nightly", cron = "0 3 * * *", timeZone = "Europe/Berlin", retries = 5, eventType = "schedule.nightly", data = { schedule = "nightly" } },
  ]
}

run "timers" {
  module {
    source = "./modules/scheduler"
  }

  assert {
    condition     = google_cloud_scheduler_job.this["nightly"].schedule == "0 3 * * *" && google_cloud_scheduler_job.this["nightly"].time_zone == "Europe/Berlin" && google_cloud_scheduler_job.this["nightly"].retry_config[0].retry_count == 5
    error_message = "It ticks at other times, or is not tried again."
  }

  assert {
    condition = alltrue([
      google_cloud_scheduler_job.this["nightly"].pubsub_target[0].topic_name == "projects/omni-test/topics/events",
      google_cloud_scheduler_job.this["nightly"].pubsub_target[0].attributes.type == "schedule.nightly",
      base64decode(google_cloud_scheduler_job.this["nightly"].pubsub_target[0].data) == "{\"schedule\":\"nightly\"}",
    ])
    error_message = "It publishes something else than the tick."
  }
}

run "stand_still_in_a_deployment_that_stands_by" {
  module {
    source = "./modules/scheduler"
  }

  variables {
    paused = true
  }

  assert {
    condition     = alltrue([for job in values(google_cloud_scheduler_job.this) : job.paused])
    error_message = "Two deployments would tick."
  }
}
