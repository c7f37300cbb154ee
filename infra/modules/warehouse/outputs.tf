output "dataset" {
  value = google_bigquery_dataset.this.dataset_id
}

output "columns" {
  value = jsondecode(google_bigquery_table.events.schema)[*].name
}

output "writers" {
  value = {
    pubsub = google_bigquery_dataset_iam_member.pubsub.member
    sink   = google_bigquery_dataset_iam_member.sink.member
  }
}
