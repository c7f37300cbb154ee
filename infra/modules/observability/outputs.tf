output "burn_alerts" {
  description = "Rate and windows (in seconds) of each burn-rate alert."
  value = {
    for name, alert in google_monitoring_alert_policy.burn_rate : name => {
      rates    = distinct([for one in alert.conditions : one.condition_threshold[0].threshold_value])
      windows  = [for one in alert.conditions : tonumber(regex("\"(\\d+)s\"\\)$", one.condition_threshold[0].filter)[0])]
      combiner = alert.combiner
    }
  }
}

output "metrics" {
  value = { for name, metric in google_logging_metric.this : name => metric.filter }
}

output "tiles" {
  value = [for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles : tile.widget.title]
}

output "exclusion" {
  value = google_logging_project_exclusion.probes.filter
}

output "uptime_paths" {
  value = keys(google_monitoring_uptime_check_config.this)
}

output "budgets" {
  value = length(google_billing_budget.this)
}
