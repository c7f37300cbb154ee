mock_provider "google" {
  override_during = plan
}

variables {
  project_id     = "omni-test"
  service        = "omni-thing"
  urls           = { "europe-west1" = "https://omni-thing-1.europe-west1.run.app", "us-central1" = "https://omni-thing-1.us-central1.run.app" }
  regions        = ["europe-west1", "us-central1"]
  account        = { name = "projects/omni-test/serviceAccounts/fn", email = "fn@omni-test.iam.gserviceaccount.com", member = "serviceAccount:fn@omni-test.iam.gserviceaccount.com" }
  environment    = { OMNI_ENVIRONMENT = "cloud" }
  secrets        = { A_SECRET = { secret = "A_SECRET", version = "3" }, OTHER_SECRET = { secret = "OTHER_SECRET", version = "1" } }
  package        = { bucket = "packages", object = "thing/thing-abc.zip" }
  build_account  = "projects/omni-test/serviceAccounts/omni-build@omni-test.iam.gserviceaccount.com"
  push_account   = "omni-push@omni-test.iam.gserviceaccount.com"
  database       = "(default)"
  encryption_key = "key/encryption"
  signing_key    = "key/signing"
  blob_bucket    = "blobs"
  locked_bucket  = "locked"

  function = {
    name        = "thing"
    kind        = "function"
    paths       = ["/api/v1/things"]
    secrets     = ["A_SECRET"]
    uses        = ["blobs", "encryption", "publish", "redis"]
    memory      = 768
    cpu         = 1
    concurrency = 40
    timeout     = 90
    instances   = { min = 1, max = 30 }
    jobs        = [{ name = "thing.work" }]
  }
}

run "a_function" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition     = toset(keys(google_cloudfunctions2_function.this)) == toset(var.regions) && length(google_cloud_run_v2_service.this) == 0
    error_message = "It is not in every region."
  }

  assert {
    condition = alltrue([for one in values(google_cloudfunctions2_function.this) : alltrue([
      one.build_config[0].runtime == "nodejs24",
      one.build_config[0].entry_point == "thing",
      one.build_config[0].service_account == var.build_account,
      one.build_config[0].source[0].storage_source[0].object == "thing/thing-abc.zip",
    ])])
    error_message = "It is not built from its package, on Node 24, by the account for builds."
  }

  assert {
    condition = alltrue([for one in values(google_cloudfunctions2_function.this) : alltrue([
      one.service_config[0].service_account_email == var.account.email,
      one.service_config[0].available_memory == "768Mi",
      one.service_config[0].available_cpu == "1",
      one.service_config[0].max_instance_request_concurrency == 40,
      one.service_config[0].timeout_seconds == 90,
      one.service_config[0].min_instance_count == 1,
      one.service_config[0].max_instance_count == 30,
      one.service_config[0].ingress_settings == "ALLOW_INTERNAL_AND_GCLB",
    ])])
    error_message = "It does not run as its definition says."
  }

  assert {
    condition = alltrue([for one in values(google_cloudfunctions2_function.this) :
      { for secret in one.service_config[0].secret_environment_variables : secret.key => secret.version } == { A_SECRET = "3" }
    ])
    error_message = "It is given other secrets than it names, or not the pinned version."
  }

  assert {
    condition     = output.environment["us-central1"].OMNI_INTERNAL_AUDIENCE == "https://omni-thing-1.us-central1.run.app"
    error_message = "Tokens for another region's instance would be taken."
  }

  assert {
    condition     = output.environment["europe-west1"].OMNI_KMS_KEY == "key/encryption" && !contains(keys(output.environment["europe-west1"]), "OMNI_SIGNING_KMS_KEY")
    error_message = "It knows another key than it uses."
  }

  assert {
    condition     = google_project_iam_member.firestore.role == "roles/datastore.user" && google_project_iam_member.firestore.condition[0].expression == "resource.name == \"projects/omni-test/databases/(default)\""
    error_message = "It may use more than its database."
  }

  assert {
    condition     = length(google_service_account_iam_member.signs_urls) == 1
    error_message = "It could not sign URLs of its files."
  }

  assert {
    condition     = !output.with_redis
    error_message = "It leaves for a network though there is no Redis."
  }
}

run "is_for_the_bus_alone_without_a_path" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    function = { name = "thing", kind = "function", paths = [], secrets = [], uses = ["publish"], memory = 512, cpu = 1, concurrency = 80, timeout = 60, instances = { min = 0, max = 10 }, jobs = [{ name = "thing.work" }] }
  }

  assert {
    condition     = alltrue([for members in values(output.invokers) : members == toset(["serviceAccount:omni-push@omni-test.iam.gserviceaccount.com"])])
    error_message = "Somebody besides Pub/Sub may call it."
  }

  assert {
    condition     = length(google_service_account_iam_member.signs_urls) == 0
    error_message = "It may sign, though it has no files."
  }
}

# What keeps connections open is a service of its own.
run "a_service" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    image      = "europe-docker.pkg.dev/omni-test/omni/thing@sha256:1"
    redis      = { "europe-west1" = { secret = "REDIS_URL-europe-west1", version = "2" }, "us-central1" = { secret = "REDIS_URL-us-central1", version = "5" } }
    connectors = { "europe-west1" = "c1", "us-central1" = "c2" }
    function   = { name = "thing", kind = "service", paths = ["/api/v1/things"], secrets = ["A_SECRET"], uses = ["publish", "redis"], memory = 1024, cpu = 2, concurrency = 500, timeout = 60, instances = { min = 1, max = 10 }, jobs = [] }
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service.this)) == toset(var.regions) && length(google_cloudfunctions2_function.this) == 0
    error_message = "It is not a service in every region."
  }

  assert {
    condition = alltrue([for one in values(google_cloud_run_v2_service.this) : alltrue([
      one.ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
      one.template[0].timeout == "3600s",
      one.template[0].session_affinity,
      one.template[0].max_instance_request_concurrency == 500,
      one.template[0].containers[0].image == var.image,
      one.template[0].containers[0].resources[0].startup_cpu_boost,
      one.template[0].containers[0].startup_probe[0].http_get[0].path == "/healthz",
    ])])
    error_message = "It does not keep connections open, is not the built container, or can be reached past the load balancer."
  }

  assert {
    condition     = google_cloud_run_v2_service.this["us-central1"].template[0].vpc_access[0].connector == "c2"
    error_message = "It does not reach its region's Redis."
  }

  assert {
    condition = {
      for env in google_cloud_run_v2_service.this["us-central1"].template[0].containers[0].env : env.name => env.value_source[0].secret_key_ref[0].version if length(env.value_source) > 0
    } == { A_SECRET = "3", REDIS_URL = "5" }
    error_message = "It is given other secrets than it names, or not the pinned version."
  }
}

run "waits_for_no_secret_without_a_version" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    secrets = {}
  }

  assert {
    condition     = alltrue([for names in values(output.secrets) : length(names) == 0])
    error_message = "It could not be deployed before every secret has a value."
  }
}

run "refuses_what_was_not_built" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    package = { bucket = "packages", object = "" }
  }

  expect_failures = [google_cloudfunctions2_function.this]
}

run "refuses_a_secret_that_is_not_pinned" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    secrets = { A_SECRET = { secret = "A_SECRET", version = "latest" } }
  }

  expect_failures = [google_cloudfunctions2_function.this]
}
