# What tells people: service levels, the alerts that go with them, what waits undelivered, what it all costs.

locals {
  balancer = "resource.type=\"https_lb_rule\" AND resource.labels.url_map_name=\"${var.url_map}\""
  requests = "metric.type=\"loadbalancing.googleapis.com/https/request_count\" AND ${local.balancer}"

  slos = {
    availability = google_monitoring_slo.availability.id
    latency      = google_monitoring_slo.latency.id
  }

  # https://sre.google/workbook/alerting-on-slos/ (multiwindow, multi-burn-rate): what is used up of a month's budget in
  # the long window, while the short one shows that it is still going on. Windows in seconds.
  burn_rates = {
    fast   = { rate = 14.4, long = 3600, short = 300, severity = "CRITICAL" }
    medium = { rate = 6, long = 21600, short = 1800, severity = "ERROR" }
    slow   = { rate = 1, long = 259200, short = 21600, severity = "WARNING" }
  }

  burn_alerts = merge([
    for slo, id in local.slos : { for speed, burn in local.burn_rates : "${slo}-${speed}" => merge(burn, { slo = slo, id = id }) }
  ]...)

  channels = [for one in google_monitoring_notification_channel.email : one.id]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.emails)

  display_name = each.key
  type         = "email"
  labels       = { email_address = each.key }
}

# Log-based metrics. Their filters are the words of the code's own log lines.

resource "google_logging_metric" "this" {
  for_each = {
    dead_letters       = { message = "Dead letter", description = "Events that a job gave up on." }
    failed_requests    = { message = "Request failed", description = "Requests that ended with a fault of ours." }
    slow_requests      = { message = "Slow request", description = "Requests over a second." }
    unreadable_records = { message = "A stored document does not parse", description = "Stored documents that the code can't read." }
  }

  name        = "omni/${each.key}"
  description = each.value.description
  filter      = "resource.type=\"cloud_run_revision\" AND jsonPayload.message:\"${each.value.message}\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key        = "service"
      value_type = "STRING"
    }
  }

  label_extractors = { service = "EXTRACT(resource.labels.service_name)" }
}

# A probe every few seconds tells nothing while it succeeds.
resource "google_logging_project_exclusion" "probes" {
  name        = "health-probes"
  description = "Successful health probes."
  filter      = <<-EOT
    httpRequest.status<400
    AND (httpRequest.requestUrl=~"/(healthz|readyz)$" OR httpRequest.userAgent:"GoogleStackdriverMonitoring-UptimeChecks" OR httpRequest.userAgent:"GoogleHC")
  EOT
}

resource "google_monitoring_custom_service" "api" {
  service_id   = "omni-api"
  display_name = "Omni API"
}

resource "google_monitoring_slo" "availability" {
  service             = google_monitoring_custom_service.api.service_id
  slo_id              = "availability"
  display_name        = "Requests that are answered without a fault of ours"
  goal                = var.availability_goal
  rolling_period_days = 28

  request_based_sli {
    good_total_ratio {
      total_service_filter = local.requests
      bad_service_filter   = "${local.requests} AND metric.labels.response_code_class=\"500\""
    }
  }
}

resource "google_monitoring_slo" "latency" {
  service             = google_monitoring_custom_service.api.service_id
  slo_id              = "latency"
  display_name        = "Requests that are answered in time"
  goal                = var.latency_goal
  rolling_period_days = 28

  request_based_sli {
    distribution_cut {
      distribution_filter = "metric.type=\"loadbalancing.googleapis.com/https/total_latencies\" AND ${local.balancer}"

      range {
        min = 0
        max = var.latency_milliseconds
      }
    }
  }
}

resource "google_monitoring_alert_policy" "burn_rate" {
  for_each = local.burn_alerts

  display_name          = "The ${each.value.slo} budget burns at ${each.value.rate} times its rate"
  combiner              = "AND"
  severity              = each.value.severity
  notification_channels = local.channels

  dynamic "conditions" {
    for_each = { long = each.value.long, short = each.value.short }
    content {
      display_name = "over ${conditions.value / 60} minutes"

      condition_threshold {
        filter          = "select_slo_burn_rate(\"${each.value.id}\", \"${conditions.value}s\")"
        comparison      = "COMPARISON_GT"
        threshold_value = each.value.rate
        duration        = "0s"
      }
    }
  }

  documentation {
    content   = "At this rate the budget of 28 days is used up in ${floor(28 * 24 / each.value.rate)} hours. See docs/deploy.md."
    mime_type = "text/markdown"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_monitoring_alert_policy" "undelivered" {
  display_name          = "Events wait in the dead-letter topic"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "any at all for five minutes"

    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${var.dead_letter_subscription}\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content   = "What no job's endpoint took, however often it was sent. See docs/deploy.md."
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "backlog" {
  display_name          = "A job's events have waited for ten minutes"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = "the oldest of a subscription"

    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      comparison      = "COMPARISON_GT"
      threshold_value = 600
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }
}

resource "google_monitoring_alert_policy" "gave_up" {
  display_name          = "A job gave up on an event"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = "any in an hour"

    condition_threshold {
      filter          = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.this["dead_letters"].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "3600s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
}

resource "google_monitoring_uptime_check_config" "this" {
  for_each = toset(["/healthz", "/readyz"])

  display_name       = "omni${replace(each.key, "/", "-")}"
  period             = "60s"
  timeout            = "10s"
  checker_type       = "STATIC_IP_CHECKERS"
  log_check_failures = true

  http_check {
    path           = each.key
    port           = 443
    use_ssl        = true
    validate_ssl   = true
    request_method = "GET"
  }

  monitored_resource {
    type   = "uptime_url"
    labels = { host = var.domain, project_id = var.project_id }
  }
}

resource "google_monitoring_alert_policy" "down" {
  for_each = google_monitoring_uptime_check_config.this

  display_name          = "${each.key} does not answer"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels

  conditions {
    display_name = "from two places at once"

    condition_threshold {
      filter          = "resource.type=\"uptime_url\" AND metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id=\"${each.value.uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "60s"

      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }
}

resource "google_billing_budget" "this" {
  count = var.billing_account == "" ? 0 : 1

  billing_account = var.billing_account
  display_name    = "Omni, ${var.project_id}"

  budget_filter {
    projects = ["projects/${var.project_number}"]
  }

  amount {
    specified_amount {
      currency_code = var.budget.currency
      units         = tostring(var.budget.amount)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]
    content {
      threshold_percent = threshold_rules.value
    }
  }

  # What it will be at the month's end, while there is still time.
  threshold_rules {
    threshold_percent = 1.2
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = local.channels
  }
}
