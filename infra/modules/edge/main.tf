# The one way in: a global load balancer whose URL map is made of the manifest's paths, behind Cloud Armor.

locals {
  behind = { for name, function in var.functions : name => function if length(function.paths) > 0 }

  endpoints = merge([
    for name, function in local.behind : {
      for region in var.regions : "${name}/${region}" => { function = name, region = region, service = function.service }
    }
  ]...)

  # Every function answers what all have in common: health, and the refusal of an unknown path.
  default = sort(keys(local.behind))[0]
}

resource "google_compute_region_network_endpoint_group" "this" {
  for_each = local.endpoints

  name                  = "omni-${each.value.function}-${each.value.region}"
  region                = each.value.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = each.value.service
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_backend_service" "this" {
  for_each = local.behind

  name                  = "omni-${each.key}"
  protocol              = "HTTPS"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  security_policy       = google_compute_security_policy.this.id

  # Answers belong to one tenant, and the functions have a cache that knows tenants.
  enable_cdn = false

  dynamic "backend" {
    for_each = toset(var.regions)
    content {
      group = google_compute_region_network_endpoint_group.this["${each.key}/${backend.value}"].id
    }
  }

  # A region that answers with errors is left out for a while: requests go to the next one by themselves.
  dynamic "outlier_detection" {
    for_each = length(var.regions) > 1 ? [1] : []
    content {
      consecutive_gateway_failure           = 5
      enforcing_consecutive_gateway_failure = 100
      max_ejection_percent                  = 50

      interval {
        seconds = 5
      }
      base_ejection_time {
        seconds = 60
      }
    }
  }

  log_config {
    enable      = true
    sample_rate = var.log_sample_rate
  }
}

resource "google_compute_url_map" "this" {
  name            = "omni"
  default_service = google_compute_backend_service.this[local.default].id

  host_rule {
    hosts        = [var.domain]
    path_matcher = "api"
  }

  path_matcher {
    name            = "api"
    default_service = google_compute_backend_service.this[local.default].id

    dynamic "path_rule" {
      for_each = local.behind
      content {
        paths   = flatten([for path in path_rule.value.paths : [path, "${path}/*"]])
        service = google_compute_backend_service.this[path_rule.key].id
      }
    }
  }
}

resource "google_compute_global_address" "this" {
  for_each = toset(["IPV4", "IPV6"])

  name       = "omni-${lower(each.key)}"
  ip_version = each.key
}

resource "google_compute_managed_ssl_certificate" "this" {
  name = "omni-${substr(sha256(var.domain), 0, 8)}"

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_ssl_policy" "this" {
  name            = "omni"
  profile         = "RESTRICTED"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_target_https_proxy" "this" {
  name             = "omni"
  url_map          = google_compute_url_map.this.id
  ssl_certificates = [google_compute_managed_ssl_certificate.this.id]
  ssl_policy       = google_compute_ssl_policy.this.id
  quic_override    = "ENABLE"
}

resource "google_compute_global_forwarding_rule" "https" {
  for_each = google_compute_global_address.this

  name                  = "omni-https-${lower(each.key)}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = each.value.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.this.id
}

# Port 80 has nothing but the way to port 443.
resource "google_compute_url_map" "redirect" {
  name = "omni-redirect"

  default_url_redirect {
    https_redirect         = true
    strip_query            = false
    redirect_response_code = "PERMANENT_REDIRECT"
  }
}

resource "google_compute_target_http_proxy" "redirect" {
  name    = "omni-redirect"
  url_map = google_compute_url_map.redirect.id
}

resource "google_compute_global_forwarding_rule" "http" {
  for_each = google_compute_global_address.this

  name                  = "omni-http-${lower(each.key)}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = each.value.id
  port_range            = "80"
  target                = google_compute_target_http_proxy.redirect.id
}
