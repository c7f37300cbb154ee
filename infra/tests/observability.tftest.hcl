mock_provider "google" {
  mock_resource "google_monitoring_slo" {
    defaults = { id = "projects/1/services/omni-api/serviceLevelObjectives/slo" }
  }
}

variables {
  project_id               = "omni-test"
  project_number           = "1"
  domain                   = "api.example.com"
  url_map                  = "omni"
  services                 = ["omni-a", "omni-b"]
  dead_letter_subscription = "events-dead-letters"
  emails                   = ["ops@example.com"]
  billing_account          = "AAAAAA-BBBBBB-CCCCCC"
  budget                   = { amount = 100, currency = "EUR" }
}

run "service_levels" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition = jsonencode(output.burn_alerts) == jsonencode(merge([for slo in ["availability", "latency"] : {
      "${slo}-fast"   = { rates = [14.4], windows = [3600, 300], combiner = "AND" }
      "${slo}-medium" = { rates = [6], windows = [21600, 1800], combiner = "AND" }
      "${slo}-slow"   = { rates = [1], windows = [259200, 21600], combiner = "AND" }
    }]...))
    error_message = "The burn-rate alerts are not 14.4 over 1 h and 5 min, 6 over 6 h and 30 min, 1 over 3 d and 6 h, on each objective."
  }

  assert {
    condition     = google_monitoring_slo.availability.goal == 0.999 && strcontains(google_monitoring_slo.availability.request_based_sli[0].good_total_ratio[0].bad_service_filter, "response_code_class=\"500\"")
    error_message = "Availability is not what clients see of it."
  }

  assert {
    condition     = google_monitoring_slo.latency.request_based_sli[0].distribution_cut[0].range[0].max == 1000
    error_message = "In time is not within a second."
  }
}

run "what_tells_people" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.undelivered.conditions[0].condition_threshold[0].filter, "events-dead-letters") && google_monitoring_alert_policy.undelivered.conditions[0].condition_threshold[0].threshold_value == 0
    error_message = "Nobody hears of dead letters."
  }

  assert {
    condition     = alltrue([for alert in concat(values(google_monitoring_alert_policy.burn_rate), values(google_monitoring_alert_policy.down), [google_monitoring_alert_policy.undelivered, google_monitoring_alert_policy.backlog, google_monitoring_alert_policy.gave_up]) : length(alert.notification_channels) == 1])
    error_message = "An alert tells nobody."
  }

  assert {
    condition     = output.budgets == 1 && toset([for rule in google_billing_budget.this[0].threshold_rules : rule.threshold_percent]) == toset([0.5, 0.9, 1, 1.2])
    error_message = "Nobody hears of the costs in time."
  }

  assert {
    condition     = output.uptime_paths == ["/healthz", "/readyz"] && alltrue([for one in values(google_monitoring_uptime_check_config.this) : one.monitored_resource[0].labels.host == "api.example.com" && one.http_check[0].validate_ssl])
    error_message = "Nobody asks whether it answers."
  }

  assert {
    condition     = strcontains(output.exclusion, "healthz") && strcontains(output.exclusion, "status<400")
    error_message = "Probes fill the log, or failed ones are hidden."
  }

  assert {
    condition     = toset(keys(output.metrics)) == toset(["dead_letters", "failed_requests", "slow_requests", "unreadable_records"])
    error_message = "A log-based metric is missing."
  }

  assert {
    condition     = alltrue([for service in var.services : contains(output.tiles, "${service}: instances")])
    error_message = "A function is not on the dashboard."
  }
}

run "no_budget_without_an_account" {
  module {
    source = "./modules/observability"
  }

  variables {
    billing_account = ""
  }

  assert {
    condition     = output.budgets == 0
    error_message = "A budget needs an account."
  }
}
