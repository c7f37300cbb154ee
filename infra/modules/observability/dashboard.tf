locals {
  tiles = concat(
    [
      { title = "Requests a second by status", query = "${local.requests}", group = ["metric.label.response_code_class"], aligner = "ALIGN_RATE", reducer = "REDUCE_SUM" },
      { title = "Latency, 95th percentile (ms)", query = "metric.type=\"loadbalancing.googleapis.com/https/total_latencies\" AND ${local.balancer}", group = [], aligner = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX" },
      { title = "Refused by Cloud Armor", query = "metric.type=\"networksecurity.googleapis.com/https/request_count\" AND resource.type=\"network_security_policy\" AND metric.labels.blocked=\"true\"", group = [], aligner = "ALIGN_RATE", reducer = "REDUCE_SUM" },
      { title = "Oldest waiting event of each job (s)", query = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type=\"pubsub_subscription\"", group = ["resource.label.subscription_id"], aligner = "ALIGN_MAX", reducer = "REDUCE_MAX" },
      { title = "Waiting dead letters", query = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${var.dead_letter_subscription}\"", group = [], aligner = "ALIGN_MAX", reducer = "REDUCE_SUM" },
      { title = "Firestore reads and writes a second", query = "metric.type=one_of(\"firestore.googleapis.com/document/read_count\",\"firestore.googleapis.com/document/write_count\") AND resource.type=\"firestore_instance\"", group = ["metric.label.type"], aligner = "ALIGN_RATE", reducer = "REDUCE_SUM" },
    ],
    flatten([
      for service in var.services : [
        { title = "${service}: instances", query = "metric.type=\"run.googleapis.com/container/instance_count\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${service}\"", group = ["resource.label.location"], aligner = "ALIGN_MAX", reducer = "REDUCE_SUM" },
        { title = "${service}: latency, 95th percentile (ms)", query = "metric.type=\"run.googleapis.com/request_latencies\" AND resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${service}\"", group = [], aligner = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX" },
      ]
    ]),
  )
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "Omni"
    mosaicLayout = {
      columns = 48
      tiles = [
        for i, tile in local.tiles : {
          xPos   = 24 * (i % 2)
          yPos   = 16 * floor(i / 2)
          width  = 24
          height = 16
          widget = {
            title = tile.title
            xyChart = {
              dataSets = [{
                plotType = "LINE"
                timeSeriesQuery = {
                  timeSeriesFilter = {
                    filter = tile.query
                    aggregation = {
                      alignmentPeriod    = "60s"
                      perSeriesAligner   = tile.aligner
                      crossSeriesReducer = tile.reducer
                      groupByFields      = tile.group
                    }
                  }
                }
              }]
            }
          }
        }
      ]
    }
  })
}
