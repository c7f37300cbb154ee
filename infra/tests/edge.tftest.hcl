mock_provider "google" {}

variables {
  domain  = "api.example.com"
  regions = ["europe-west1", "us-central1"]

  functions = {
    a        = { service = "omni-a", paths = ["/api/v1/one", "/api/v1/two"] }
    b        = { service = "omni-b", paths = ["/webhooks"] }
    bus      = { service = "omni-bus", paths = [] }
    realtime = { service = "omni-realtime", paths = ["/api/v1/websocket"] }
  }

  webhooks        = [{ provider = "stripe", path = "/webhooks/stripe" }, { provider = "other", path = "/webhooks/other" }]
  webhook_sources = { stripe = ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32", "192.0.2.4/32", "192.0.2.5/32"] }
}

run "the_way_in" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition = output.routes == {
      "/api/v1/one" = "a", "/api/v1/one/*" = "a", "/api/v1/two" = "a", "/api/v1/two/*" = "a"
      "/webhooks"   = "b", "/webhooks/*" = "b", "/api/v1/websocket" = "realtime", "/api/v1/websocket/*" = "realtime"
    }
    error_message = "A path leads nowhere, or to another function than its own."
  }

  assert {
    condition     = toset(keys(output.backends)) == toset(["a", "b", "realtime"])
    error_message = "A function that is for the bus alone stands behind the load balancer."
  }

  assert {
    condition     = alltrue([for one in values(output.backends) : one.groups == 2 && !one.cdn])
    error_message = "A function is missing in a region, or a CDN keeps its answers."
  }

  assert {
    condition     = alltrue([for one in values(google_compute_backend_service.this) : one.security_policy == google_compute_security_policy.this.id && length(one.outlier_detection) == 1])
    error_message = "A function is not behind Cloud Armor, or a broken region keeps its requests."
  }

  assert {
    condition     = google_compute_managed_ssl_certificate.this.managed[0].domains == tolist(["api.example.com"]) && google_compute_ssl_policy.this.min_tls_version == "TLS_1_2"
    error_message = "There is no certificate for the domain, or old TLS is spoken."
  }

  assert {
    condition     = google_compute_url_map.redirect.default_url_redirect[0].https_redirect
    error_message = "Port 80 serves."
  }
}

run "cloud_armor" {
  module {
    source = "./modules/edge"
  }

  assert {
    condition     = output.rules[100].action == "deny(404)" && strcontains(output.rules[100].expression, "/internal")
    error_message = "What is for our own services comes in from outside."
  }

  assert {
    condition = alltrue([
      output.rules[1000].action == "allow" && strcontains(output.rules[1000].expression, "192.0.2.4/32"),
      output.rules[1001].action == "allow" && strcontains(output.rules[1001].expression, "192.0.2.5/32"),
      output.rules[2000].action == "deny(403)" && strcontains(output.rules[2000].expression, "/webhooks/stripe"),
      !contains(keys(output.rules), "2001"),
    ])
    error_message = "A provider that says where it sends from is let in from elsewhere, or another is shut out."
  }

  assert {
    condition     = alltrue([for priority, rule in output.rules : length(regexall("inIpRange|startsWith", rule.expression)) <= 5])
    error_message = "A rule has more than the five conditions that Cloud Armor takes."
  }

  assert {
    condition     = alltrue([for set in ["sqli", "xss", "lfi", "rfi", "rce", "scannerdetection", "protocolattack", "sessionfixation", "nodejs"] : strcontains(join(" ", [for rule in values(output.rules) : rule.expression]), "${set}-v33-stable")])
    error_message = "A part of the OWASP rules is missing."
  }

  assert {
    condition     = output.rules[4000].action == "throttle" && output.rules[2147483647].action == "allow"
    error_message = "One address may send as much as it likes."
  }
}

run "refuses_to_stand_before_nothing" {
  command = plan

  module {
    source = "./modules/edge"
  }

  variables {
    functions = { bus = { service = "omni-bus", paths = [] } }
  }

  expect_failures = [var.functions]
}
