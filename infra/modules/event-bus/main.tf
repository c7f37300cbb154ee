# One topic for all events, and a push subscription for each job. What can't be delivered ends in the dead-letter topic,
# whose own subscription keeps it.

locals {
  push_email   = "omni-push@${var.project_id}.iam.gserviceaccount.com"
  pubsub_agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_schema" "event" {
  name       = "event"
  type       = "PROTOCOL_BUFFER"
  definition = file("${path.module}/event.proto")
}

resource "google_pubsub_topic" "events" {
  name                       = var.topic
  message_retention_duration = "604800s"
  kms_key_name               = var.kms_key

  schema_settings {
    schema   = google_pubsub_schema.event.id
    encoding = "JSON"
  }

  dynamic "message_storage_policy" {
    for_each = length(var.storage_regions) > 0 ? [var.storage_regions] : []
    content {
      allowed_persistence_regions = message_storage_policy.value
    }
  }
}

resource "google_pubsub_topic" "dead_letters" {
  name                       = "${var.topic}-dead-letters"
  message_retention_duration = "2678400s"
  kms_key_name               = var.kms_key
}

# Without a subscription a dead letter would be gone at once.
resource "google_pubsub_subscription" "dead_letters" {
  name                       = "${var.topic}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  message_retention_duration = "604800s"
  retain_acked_messages      = false
  ack_deadline_seconds       = 60

  expiration_policy {
    ttl = ""
  }
}

# What the functions' endpoints see as the caller.
resource "google_service_account" "push" {
  account_id   = "omni-push"
  display_name = "Pub/Sub, pushing events to jobs"
}

resource "google_service_account_iam_binding" "push_tokens" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  members            = [local.pubsub_agent]
}

resource "google_pubsub_topic_iam_binding" "publishers" {
  topic   = google_pubsub_topic.events.id
  role    = "roles/pubsub.publisher"
  members = concat(values(var.publishers), [var.scheduler_agent])
}

resource "google_pubsub_topic_iam_binding" "dead_letter_publishers" {
  topic   = google_pubsub_topic.dead_letters.id
  role    = "roles/pubsub.publisher"
  members = [local.pubsub_agent]
}

resource "google_pubsub_subscription" "job" {
  for_each = var.jobs

  name                       = each.key
  topic                      = google_pubsub_topic.events.id
  filter                     = each.value.filter
  enable_message_ordering    = each.value.ordered
  ack_deadline_seconds       = each.value.ack_deadline
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = "${each.value.url}/internal/jobs/${each.key}"

    oidc_token {
      service_account_email = local.push_email
      audience              = each.value.url
    }
  }

  retry_policy {
    minimum_backoff = "${each.value.backoff.min}s"
    maximum_backoff = "${each.value.backoff.max}s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = each.value.max_deliveries
  }

  # Never: a job that had no events for a month would lose its subscription.
  expiration_policy {
    ttl = ""
  }

  depends_on = [google_pubsub_topic_iam_binding.dead_letter_publishers, google_service_account.push]
}

# The agent takes a message that it hands to the dead-letter topic off the subscription.
resource "google_pubsub_subscription_iam_binding" "agent" {
  for_each = google_pubsub_subscription.job

  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  members      = [local.pubsub_agent]
}
