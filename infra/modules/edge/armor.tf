# What Cloud Armor looks at, in order of priority.

locals {
  # A rule takes five conditions: the path, and four networks.
  webhook_rules = flatten([
    for webhook in var.webhooks : [
      for i, networks in chunklist(lookup(var.webhook_sources, webhook.provider, []), 4) : {
        provider   = webhook.provider
        part       = i
        expression = "request.path.startsWith('${webhook.path}') && (${join(" || ", [for one in networks : "inIpRange(origin.ip, '${one}')"])})"
      }
    ]
  ])

  # Providers that publish from where they send; of the others the signature alone says who they are.
  known_webhooks = [for webhook in var.webhooks : webhook if length(lookup(var.webhook_sources, webhook.provider, [])) > 0]

  waf_rules = [
    "evaluatePreconfiguredWaf('sqli-v33-stable', {'sensitivity': 1}) || evaluatePreconfiguredWaf('xss-v33-stable', {'sensitivity': 1}) || evaluatePreconfiguredWaf('lfi-v33-stable', {'sensitivity': 1}) || evaluatePreconfiguredWaf('rfi-v33-stable', {'sensitivity': 1}) || evaluatePreconfiguredWaf('rce-v33-stable', {'sensitivity': 1})",
    "evaluatePreconfiguredWaf('scannerdetection-v33-stable', {'sensitivity': 1}) || evaluatePreconfiguredWaf('protocolattack-v33-stable', {'sensitivity': 1}) || evaluatePreconfiguredWaf('sessionfixation-v33-stable', {'sensitivity': 1}) || evaluatePreconfiguredWaf('nodejs-v33-stable', {'sensitivity': 1}) || evaluatePreconfiguredWaf('cve-canary', {'sensitivity': 1})",
  ]
}

resource "google_compute_security_policy" "this" {
  name = "omni"

  advanced_options_config {
    json_parsing = "STANDARD"
    log_level    = "NORMAL"
  }

  adaptive_protection_config {
    layer_7_ddos_defense_config {
      enable = true
    }
  }

  rule {
    description = "What is for our own services never comes by this way."
    action      = "deny(404)"
    priority    = 100

    match {
      expr {
        expression = "request.path.startsWith('/internal') || request.path.startsWith('/metrics')"
      }
    }
  }

  dynamic "rule" {
    for_each = local.webhook_rules
    content {
      description = "Webhooks from ${rule.value.provider}'s own networks."
      action      = "allow"
      priority    = 1000 + rule.key

      match {
        expr {
          expression = rule.value.expression
        }
      }
    }
  }

  dynamic "rule" {
    for_each = local.known_webhooks
    content {
      description = "Webhooks of ${rule.value.provider} from anywhere else."
      action      = "deny(403)"
      priority    = 2000 + rule.key

      match {
        expr {
          expression = "request.path.startsWith('${rule.value.path}')"
        }
      }
    }
  }

  dynamic "rule" {
    for_each = local.waf_rules
    content {
      description = "OWASP core rule set, part ${rule.key + 1}."
      action      = "deny(403)"
      priority    = 3000 + rule.key
      preview     = var.waf_preview

      match {
        expr {
          expression = rule.value
        }
      }
    }
  }

  # The functions limit keys and tenants; this keeps one address from costing anything at all.
  rule {
    description = "So many requests a minute from one address."
    action      = "throttle"
    priority    = 4000

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.requests_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    description = "Everything else."
    action      = "allow"
    priority    = 2147483647

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}
