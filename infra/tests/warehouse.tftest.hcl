mock_provider "google" {
  mock_resource "google_logging_project_sink" {
    defaults = { writer_identity = "serviceAccount:sink" }
  }
}

variables {
  project_id           = "omni-test"
  location             = "EU"
  topic_id             = "projects/omni-test/topics/events"
  dead_letter_topic_id = "projects/omni-test/topics/events-dead-letters"
  pubsub_agent         = "serviceAccount:pubsub"
}

run "the_warehouse" {
  module {
    source = "./modules/warehouse"
  }

  assert {
    condition = alltrue([
      google_pubsub_subscription.events.bigquery_config[0].table == "omni-test.omni.events",
      google_pubsub_subscription.events.bigquery_config[0].use_topic_schema,
      google_pubsub_subscription.events.bigquery_config[0].write_metadata,
      google_pubsub_subscription.events.dead_letter_policy[0].dead_letter_topic == var.dead_letter_topic_id,
      google_pubsub_subscription.events.expiration_policy[0].ttl == "",
    ])
    error_message = "Events don't become rows."
  }

  assert {
    condition     = google_pubsub_subscription.events.filter == "NOT attributes:dataclassification AND NOT hasPrefix(attributes.type, \"security.\")"
    error_message = "Secrets and personal data become rows."
  }

  assert {
    condition     = output.writers == { pubsub = "serviceAccount:pubsub", sink = "serviceAccount:sink" } && google_bigquery_dataset_iam_member.sink.role == "roles/bigquery.dataEditor"
    error_message = "Pub/Sub or the log sink can't write."
  }

  assert {
    condition     = google_logging_project_sink.this.unique_writer_identity && google_logging_project_sink.this.bigquery_options[0].use_partitioned_tables
    error_message = "The sink has no account of its own, or makes a table a day."
  }

  assert {
    condition     = google_bigquery_table.events.time_partitioning[0].field == "publish_time" && google_bigquery_table.events.time_partitioning[0].expiration_ms == 400 * 86400000
    error_message = "Events are kept for ever."
  }
}
