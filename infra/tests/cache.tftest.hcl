mock_provider "google" {
  mock_resource "google_redis_instance" {
    defaults = { host = "10.0.0.3", port = 6379, auth_string = "word" }
  }
}

variables {
  regions   = ["europe-west1", "us-central1"]
  tier      = "STANDARD_HA"
  memory_gb = 2
  readers   = ["serviceAccount:a"]
}

run "redis" {
  module {
    source = "./modules/cache"
  }

  assert {
    condition     = alltrue([for one in values(google_redis_instance.this) : one.auth_enabled && one.tier == "STANDARD_HA" && one.memory_size_gb == 2])
    error_message = "Redis asks for no password, or is another than was asked for."
  }

  assert {
    condition     = google_secret_manager_secret_version.url["us-central1"].secret_data == "redis://:word@10.0.0.3:6379"
    error_message = "The URL does not lead to Redis."
  }

  assert {
    condition     = alltrue([for one in values(google_secret_manager_secret_iam_binding.readers) : one.members == toset(["serviceAccount:a"])])
    error_message = "Others can read the password."
  }

  assert {
    condition     = length(distinct([for one in values(google_vpc_access_connector.this) : one.ip_cidr_range])) == 2 && alltrue([for one in values(google_vpc_access_connector.this) : endswith(one.ip_cidr_range, "/28")])
    error_message = "Connectors share addresses."
  }
}
