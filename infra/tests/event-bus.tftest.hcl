mock_provider "google" {}

variables {
  project_id      = "omni-test"
  project_number  = "123"
  topic           = "events"
  publishers      = { a = "serviceAccount:a", b = "serviceAccount:b" }
  scheduler_agent = "serviceAccount:scheduler"

  jobs = {
    "a.work"    = { url = "https://a.run.app", filter = "attributes.type = \"x\"", ordered = false, ack_deadline = 90, max_deliveries = 20, backoff = { min = 10, max = 600 } }
    "a.in-turn" = { url = "https://a.run.app", filter = "attributes.type = \"y\"", ordered = true, ack_deadline = 600, max_deliveries = 40, backoff = { min = 1, max = 30 } }
  }
}

run "the_bus" {
  module {
    source = "./modules/event-bus"
  }

  assert {
    condition     = google_pubsub_topic.events.schema_settings[0].schema == google_pubsub_schema.event.id && google_pubsub_topic.events.schema_settings[0].encoding == "JSON" && google_pubsub_topic.events.message_retention_duration == "604800s"
    error_message = "The topic takes anything, or keeps nothing."
  }

  assert {
    condition = alltrue([for name, one in google_pubsub_subscription.job : alltrue([
      one.push_config[0].push_endpoint == "https://a.run.app/internal/jobs/${name}",
      one.push_config[0].oidc_token[0].audience == "https://a.run.app",
      one.push_config[0].oidc_token[0].service_account_email == "omni-push@omni-test.iam.gserviceaccount.com",
      one.dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.dead_letters.id,
      one.expiration_policy[0].ttl == "",
      one.filter == var.jobs[name].filter,
    ])])
    error_message = "A subscription pushes elsewhere, without identity, without dead letters, or expires."
  }

  assert {
    condition     = google_pubsub_subscription.job["a.in-turn"].enable_message_ordering && !google_pubsub_subscription.job["a.work"].enable_message_ordering
    error_message = "Order is kept for the wrong job."
  }

  assert {
    condition     = google_pubsub_subscription.job["a.in-turn"].retry_policy[0].minimum_backoff == "1s" && google_pubsub_subscription.job["a.in-turn"].retry_policy[0].maximum_backoff == "30s" && google_pubsub_subscription.job["a.in-turn"].ack_deadline_seconds == 600
    error_message = "A job's own pauses and time do not reach its subscription."
  }

  assert {
    condition     = google_pubsub_subscription.dead_letters.topic == google_pubsub_topic.dead_letters.id && google_pubsub_subscription.dead_letters.expiration_policy[0].ttl == ""
    error_message = "Dead letters are kept by no subscription."
  }

  assert {
    condition = alltrue([
      google_pubsub_topic_iam_binding.dead_letter_publishers.role == "roles/pubsub.publisher",
      google_pubsub_topic_iam_binding.dead_letter_publishers.members == toset(["serviceAccount:service-123@gcp-sa-pubsub.iam.gserviceaccount.com"]),
      alltrue([for one in values(google_pubsub_subscription_iam_binding.agent) : one.role == "roles/pubsub.subscriber" && one.members == toset([output.pubsub_agent])]),
      toset(keys(google_pubsub_subscription_iam_binding.agent)) == toset(keys(var.jobs)),
    ])
    error_message = "Pub/Sub's agent lacks one of its two roles."
  }

  assert {
    condition     = google_service_account_iam_binding.push_tokens.role == "roles/iam.serviceAccountTokenCreator" && google_service_account_iam_binding.push_tokens.members == toset([output.pubsub_agent])
    error_message = "Pub/Sub can't make the tokens that it pushes with."
  }

  assert {
    condition     = google_pubsub_topic_iam_binding.publishers.members == toset(["serviceAccount:a", "serviceAccount:b", "serviceAccount:scheduler"])
    error_message = "Others may publish."
  }
}
