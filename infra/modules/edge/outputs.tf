output "addresses" {
  description = "What the domain's A and AAAA records say."
  value       = { for version, one in google_compute_global_address.this : version => one.address }
}

output "routes" {
  description = "The function that each path leads to, as the URL map has it."
  value = merge([
    for rule in google_compute_url_map.this.path_matcher[0].path_rule : {
      for path in rule.paths : path => one([
        for name, backend in google_compute_backend_service.this : name if backend.id == rule.service
      ])
    }
  ]...)
}

output "paths" {
  description = "All paths in the URL map."
  value       = flatten([for rule in google_compute_url_map.this.path_matcher[0].path_rule : rule.paths])
}

output "backends" {
  value = { for name, one in google_compute_backend_service.this : name => { cdn = one.enable_cdn, groups = length(one.backend) } }
}

output "url_map" {
  value = google_compute_url_map.this.name
}

output "rules" {
  description = "Cloud Armor's rules by priority."
  value = {
    for rule in google_compute_security_policy.this.rule : rule.priority => {
      action     = rule.action
      expression = try(rule.match[0].expr[0].expression, "")
    }
  }
}
