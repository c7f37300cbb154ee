# Events as rows of BigQuery, straight from the topic, and the logs that are worth keeping. Not those whose data is
# confidential, such as mails with links that let somebody in and what providers post; nor those that the audit log keeps,
# where a person's data can be shredded.

locals {
  # The fields of the topic's schema, which are the columns.
  columns = regexall("string (\\w+) = \\d+;", file("${path.module}/../event-bus/event.proto"))[*][0]
}

resource "google_bigquery_dataset" "this" {
  dataset_id                      = "omni"
  location                        = var.location
  max_time_travel_hours           = "168"
  default_partition_expiration_ms = var.days * 86400000

  dynamic "default_encryption_configuration" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }
}

# The columns of the topic's schema, and those that Pub/Sub adds.
resource "google_bigquery_table" "events" {
  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = "events"
  deletion_protection = var.delete_protection
  clustering          = ["tenant", "type"]

  time_partitioning {
    type          = "DAY"
    field         = "publish_time"
    expiration_ms = var.days * 86400000
  }

  schema = jsonencode(concat(
    [for name in local.columns : { name = name, type = name == "data" ? "JSON" : "STRING", mode = "NULLABLE" }],
    [
      { name = "subscription_name", type = "STRING", mode = "NULLABLE" },
      { name = "message_id", type = "STRING", mode = "NULLABLE" },
      { name = "publish_time", type = "TIMESTAMP", mode = "NULLABLE" },
      { name = "attributes", type = "JSON", mode = "NULLABLE" },
    ],
  ))
}

resource "google_bigquery_dataset_iam_member" "pubsub" {
  dataset_id = google_bigquery_dataset.this.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = var.pubsub_agent
}

resource "google_pubsub_subscription" "events" {
  name                       = "warehouse"
  topic                      = var.topic_id
  filter                     = "NOT attributes:dataclassification AND NOT hasPrefix(attributes.type, \"security.\")"
  message_retention_duration = "604800s"
  ack_deadline_seconds       = 60

  bigquery_config {
    table               = "${var.project_id}.${google_bigquery_table.events.dataset_id}.${google_bigquery_table.events.table_id}"
    use_topic_schema    = true
    write_metadata      = true
    drop_unknown_fields = true
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = var.dead_letter_topic_id
    max_delivery_attempts = 20
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_bigquery_dataset_iam_member.pubsub]
}

resource "google_pubsub_subscription_iam_binding" "agent" {
  subscription = google_pubsub_subscription.events.name
  role         = "roles/pubsub.subscriber"
  members      = [var.pubsub_agent]
}

# Warnings and worse of the functions, and what the load balancer refused.
resource "google_logging_project_sink" "this" {
  name                   = "omni-warehouse"
  destination            = "bigquery.googleapis.com/${google_bigquery_dataset.this.id}"
  unique_writer_identity = true
  filter                 = <<-EOT
    (resource.type="cloud_run_revision" AND severity>=WARNING)
    OR (resource.type="http_load_balancer" AND httpRequest.status>=400)
  EOT

  bigquery_options {
    use_partitioned_tables = true
  }
}

resource "google_bigquery_dataset_iam_member" "sink" {
  dataset_id = google_bigquery_dataset.this.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_logging_project_sink.this.writer_identity
}
