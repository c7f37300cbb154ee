# One function (or, by its kind, one Cloud Run service) in every region, with an account of its own whose roles follow
# from what the manifest says that it uses.

locals {
  is_service = var.function.kind == "service"
  uses       = toset(var.function.uses)
  regions    = toset(var.regions)
  name       = var.service


  environment = {
    for region in local.regions : region => merge(
      var.environment,
      {
        GOOGLE_CLOUD_PROJECT   = var.project_id
        OMNI_INTERNAL_AUDIENCE = var.urls[region]
      },
      contains(local.uses, "encryption") ? { OMNI_KMS_KEY = var.encryption_key } : {},
      contains(local.uses, "token-signing") ? { OMNI_SIGNING_KMS_KEY = var.signing_key } : {},
      contains(local.uses, "blobs") ? { OMNI_BLOBS = "cloud-storage", OMNI_BUCKET = var.blob_bucket } : {},
      contains(local.uses, "locked-blobs") ? { OMNI_BLOBS = "cloud-storage", OMNI_LOCKED_BUCKET = var.locked_bucket } : {},
    )
  }

  # Redis is reached through the network, and its URL holds its password.
  with_redis = contains(local.uses, "redis") && length(var.redis) > 0

  secrets = {
    for region in local.regions : region => merge(
      { for name in var.function.secrets : name => var.secrets[name] if contains(keys(var.secrets), name) },
      local.with_redis ? { REDIS_URL = var.redis[region] } : {},
    )
  }

  memory = "${var.function.memory}Mi"
  min    = max(var.function.instances.min, var.min_instances)
  max    = min(var.function.instances.max, var.max_instances)
}

resource "google_project_iam_member" "firestore" {
  project = var.project_id
  role    = "roles/datastore.user"
  member  = var.account.member

  condition {
    title      = "only-this-database"
    expression = "resource.name == \"projects/${var.project_id}/databases/${var.database}\""
  }
}

# Signed URLs are signed through IAM, by the function's own account.
resource "google_service_account_iam_member" "signs_urls" {
  count = contains(local.uses, "blobs") ? 1 : 0

  service_account_id = var.account.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = var.account.member
}

# New code serves when the indexes of its queries are there.
resource "terraform_data" "ready" {
  input = var.ready
}

resource "google_cloudfunctions2_function" "this" {
  for_each = local.is_service ? toset([]) : local.regions

  name     = local.name
  location = each.key

  build_config {
    runtime         = "nodejs24"
    entry_point     = var.function.name
    service_account = var.build_account

    source {
      storage_source {
        bucket = var.package.bucket
        object = var.package.object
      }
    }
  }

  # A processor of its own while it starts comes with second-generation functions; a Cloud Run service asks for it.
  service_config {
    service_account_email            = var.account.email
    available_memory                 = local.memory
    available_cpu                    = tostring(var.function.cpu)
    timeout_seconds                  = var.function.timeout
    max_instance_request_concurrency = var.function.concurrency
    min_instance_count               = local.min
    max_instance_count               = local.max
    ingress_settings                 = "ALLOW_INTERNAL_AND_GCLB"
    all_traffic_on_latest_revision   = true
    environment_variables            = local.environment[each.key]
    vpc_connector                    = local.with_redis ? var.connectors[each.key] : null
    vpc_connector_egress_settings    = local.with_redis ? "PRIVATE_RANGES_ONLY" : null

    dynamic "secret_environment_variables" {
      for_each = local.secrets[each.key]
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
  }

  lifecycle {
    precondition {
      condition     = alltrue([for one in values(local.secrets[each.key]) : one.version != "latest"])
      error_message = "The secrets of ${var.function.name} must be pinned to a version."
    }
    precondition {
      condition     = var.package.object != ""
      error_message = "No package was built for ${var.function.name}: run npm run build."
    }
  }

  depends_on = [google_project_iam_member.firestore, terraform_data.ready]
}

resource "google_cloud_run_v2_service" "this" {
  for_each = local.is_service ? local.regions : toset([])

  name                = local.name
  location            = each.key
  ingress             = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  deletion_protection = false

  template {
    service_account                  = var.account.email
    timeout                          = "${max(var.function.timeout, 3600)}s"
    max_instance_request_concurrency = var.function.concurrency
    session_affinity                 = true

    scaling {
      min_instance_count = local.min
      max_instance_count = local.max
    }

    containers {
      image = var.image

      resources {
        limits            = { cpu = tostring(var.function.cpu), memory = local.memory }
        cpu_idle          = false
        startup_cpu_boost = true
      }

      startup_probe {
        http_get {
          path = "/healthz"
        }
      }

      dynamic "env" {
        for_each = local.environment[each.key]
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secrets[each.key]
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value.secret
              version = env.value.version
            }
          }
        }
      }
    }

    dynamic "vpc_access" {
      for_each = local.with_redis ? [var.connectors[each.key]] : []
      content {
        connector = vpc_access.value
        egress    = "PRIVATE_RANGES_ONLY"
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.image != ""
      error_message = "No container was built for ${var.function.name}: npm run deploy builds it."
    }
  }

  depends_on = [google_project_iam_member.firestore, terraform_data.ready]
}

# The load balancer carries no identity, so what is behind it must let everybody in; the ingress setting sees to it that
# nobody comes in by another way. A function that no path leads to is for the bus alone. Named whole, so that a
# member that somebody added by hand is taken away again.
resource "google_cloud_run_v2_service_iam_binding" "invoker" {
  for_each = local.regions

  location = each.key
  name     = local.is_service ? google_cloud_run_v2_service.this[each.key].name : google_cloudfunctions2_function.this[each.key].name
  role     = "roles/run.invoker"
  members = concat(
    length(var.function.paths) > 0 ? ["allUsers"] : [],
    length(var.function.jobs) > 0 ? ["serviceAccount:${var.push_account}"] : [],
    var.operators,
  )
}
