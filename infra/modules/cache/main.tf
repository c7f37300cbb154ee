# Redis in each region, and the connector by which functions reach it. Without it there is one level of cache, and
# Firestore counts for the rate limits.

resource "google_compute_network" "this" {
  name                    = "omni"
  auto_create_subnetworks = false
}

resource "google_vpc_access_connector" "this" {
  for_each = toset(var.regions)

  name          = "omni-${substr(sha256(each.key), 0, 8)}"
  region        = each.key
  network       = google_compute_network.this.name
  ip_cidr_range = cidrsubnet("10.8.0.0/16", 12, index(var.regions, each.key))
  machine_type  = "e2-micro"
  min_instances = 2
  max_instances = 3
}

resource "google_redis_instance" "this" {
  for_each = toset(var.regions)

  name               = "omni"
  region             = each.key
  tier               = var.tier
  memory_size_gb     = var.memory_gb
  redis_version      = "REDIS_7_2"
  authorized_network = google_compute_network.this.id
  auth_enabled       = true

  # What it holds can be lost: at its limit, what expires first goes.
  redis_configs = {
    "maxmemory-policy" = "volatile-ttl"
  }

  maintenance_policy {
    weekly_maintenance_window {
      day = "SUNDAY"
      start_time {
        hours   = 3
        minutes = 0
      }
    }
  }
}

resource "google_secret_manager_secret" "url" {
  for_each = toset(var.regions)

  secret_id = "REDIS_URL-${each.key}"

  replication {
    user_managed {
      replicas {
        location = each.key
      }
    }
  }
}

resource "google_secret_manager_secret_version" "url" {
  for_each = toset(var.regions)

  secret      = google_secret_manager_secret.url[each.key].id
  secret_data = "redis://:${google_redis_instance.this[each.key].auth_string}@${google_redis_instance.this[each.key].host}:${google_redis_instance.this[each.key].port}"
}

resource "google_secret_manager_secret_iam_binding" "readers" {
  for_each = toset(var.regions)

  secret_id = google_secret_manager_secret.url[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  members   = var.readers
}
