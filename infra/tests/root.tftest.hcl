# The whole of an environment, held against the manifest of the code as it is. Nothing here names a function.

mock_provider "google" {
  override_during = plan

  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id         = "omni-test"
  environment        = "staging"
  regions            = ["europe-west1", "europe-west4"]
  domain             = "api.example.com"
  app_url            = "https://app.example.com"
  firestore_location = "eur3"
  storage_location   = "EU"
  kms_location       = "europe"
  lock_retention     = false
  alert_emails       = ["ops@example.com"]
  webhook_sources    = { stripe = ["192.0.2.1/32"] }
}

run "manifest" {
  command = plan

  module {
    source = "./tests/setup"
  }
}

run "everything" {
  command = plan

  variables {
    packages        = run.manifest.packages
    images          = run.manifest.images
    manifest_digest = run.manifest.digest
    secret_versions = { for name in keys(run.manifest.secrets) : name => 3 }
    redis           = { tier = "BASIC", memory_gb = 1 }
    secret_values   = { for name in keys(run.manifest.secrets) : name => "a value" }
  }

  assert {
    condition     = toset(keys(module.function)) == toset(keys(run.manifest.functions))
    error_message = "Not every function of the manifest is there, or others are."
  }

  # Accounts

  assert {
    condition     = length(distinct([for one in values(module.function) : one.account])) == length(run.manifest.functions)
    error_message = "Two functions share an account."
  }

  assert {
    condition     = alltrue([for one in values(module.function) : one.roles == ["roles/datastore.user"]])
    error_message = "A function has a role on the whole project besides the database's."
  }

  assert {
    condition = alltrue([for name, readers in run.manifest.secrets :
      toset(module.secrets.readers[name]) == toset([for function in readers : "serviceAccount:${module.function[function].account}"])
    ])
    error_message = "A secret is readable by a function that does not name it, or not by one that does."
  }

  assert {
    condition     = toset(keys(module.secrets.readers)) == toset(keys(run.manifest.secrets))
    error_message = "There is not one secret for each that the manifest names."
  }

  assert {
    condition = alltrue([for name, function in run.manifest.functions : alltrue([for names in values(module.function[name].secrets) :
      sort(names) == sort(concat(function.secrets, contains(function.uses, "redis") ? ["REDIS_URL"] : []))
    ])])
    error_message = "A function is given a secret that it does not name, or not one that it does."
  }

  assert {
    condition = sort(module.secrets.encryption_users) == sort([for name, function in run.manifest.functions :
      "serviceAccount:${module.function[name].account}" if contains(function.uses, "encryption")
    ])
    error_message = "Others than the functions that encrypt may use the key of tenants' keys."
  }

  assert {
    condition = sort(module.secrets.signing_users) == sort([for name, function in run.manifest.functions :
      "serviceAccount:${module.function[name].account}" if contains(function.uses, "token-signing")
    ])
    error_message = "Others than the functions that sign tokens may use the key of signing keys."
  }

  assert {
    condition = toset(module.event_bus.publishers) == setunion(toset([for name, function in run.manifest.functions :
      "serviceAccount:${module.function[name].account}" if contains(function.uses, "publish")
    ]), ["serviceAccount:service-123456789012@gcp-sa-cloudscheduler.iam.gserviceaccount.com"])
    error_message = "Others than the functions that publish, and the timers, may publish."
  }

  # Nothing is public but the load balancer

  assert {
    condition = alltrue(flatten([for one in values(module.function) : [for ingress in values(one.ingress) :
      contains(["ALLOW_INTERNAL_AND_GCLB", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"], ingress)
    ]]))
    error_message = "A function can be reached past the load balancer."
  }

  assert {
    condition = alltrue([for name, function in run.manifest.functions : alltrue([for members in values(module.function[name].invokers) :
      sort(members) == sort(concat(
        length(function.paths) > 0 ? ["allUsers"] : [],
        length(function.jobs) > 0 ? ["serviceAccount:omni-push@omni-test.iam.gserviceaccount.com"] : [],
      ))
    ])])
    error_message = "Others may call a function than the load balancer, where a path leads to it, and Pub/Sub, where it has jobs."
  }

  # Jobs

  assert {
    condition     = toset(keys(module.event_bus.subscriptions)) == toset(keys(run.manifest.jobs))
    error_message = "There is not one subscription for each job."
  }

  assert {
    condition = alltrue([for name, job in run.manifest.jobs : alltrue([
      module.event_bus.subscriptions[name].filter == job.filter,
      module.event_bus.subscriptions[name].ordered == job.ordered,
      module.event_bus.subscriptions[name].endpoint == "https://omni-${job.function}-123456789012.europe-west1.run.app/internal/jobs/${name}",
      module.event_bus.subscriptions[name].audience == module.function[job.function].environment["europe-west1"].OMNI_INTERNAL_AUDIENCE,
      module.event_bus.subscriptions[name].ttl == "",
    ])])
    error_message = "A job's subscription has another filter, order, address or audience than its job needs, or expires."
  }

  assert {
    condition     = alltrue([for name, job in run.manifest.jobs : module.event_bus.subscriptions[name].dead_letters == job.maxDeliveries])
    error_message = "A job has no dead letters: what it can't do would be sent to it for ever."
  }

  assert {
    condition = alltrue([for name in keys(run.manifest.jobs) :
      module.event_bus.agent_roles.subscriptions[name] == toset([module.event_bus.pubsub_agent])
    ]) && module.event_bus.agent_roles.dead_letters == toset([module.event_bus.pubsub_agent])
    error_message = "Pub/Sub's agent lacks one of the two roles that dead letters need."
  }

  # Timers

  assert {
    condition = { for name, schedule in run.manifest.schedules : name => {
      cron = schedule.cron, time_zone = schedule.timeZone, retries = schedule.retries, type = schedule.eventType
    } } == module.scheduler.schedules
    error_message = "The timers are not those of the manifest."
  }

  # The way in

  assert {
    condition     = toset(module.edge.paths) == toset(flatten([for path in keys(run.manifest.paths) : [path, "${path}/*"]]))
    error_message = "A route is missing from the URL map, or one is there that no function has."
  }

  # The environment

  assert {
    condition = alltrue(flatten([for name, one in module.function : [for variables in values(one.environment) :
      length(setsubtract(keys(variables), run.manifest.environment)) == 0
    ]]))
    error_message = "A function is given a variable that no code reads."
  }

  assert {
    condition = alltrue([for name, function in run.manifest.functions : alltrue([
      contains(keys(module.function[name].environment["europe-west1"]), "OMNI_KMS_KEY") == contains(function.uses, "encryption"),
      contains(keys(module.function[name].environment["europe-west1"]), "OMNI_SIGNING_KMS_KEY") == contains(function.uses, "token-signing"),
      contains(keys(module.function[name].environment["europe-west1"]), "OMNI_BUCKET") == contains(function.uses, "blobs"),
      contains(keys(module.function[name].environment["europe-west1"]), "OMNI_LOCKED_BUCKET") == contains(function.uses, "locked-blobs"),
    ])])
    error_message = "A function does not know a thing that it uses, or knows one that it does not."
  }

  assert {
    condition     = alltrue([for name, function in run.manifest.functions : module.function[name].with_redis == contains(function.uses, "redis")])
    error_message = "A function leaves for the network that does not use Redis, or the other way round."
  }

  # Data

  assert {
    condition     = toset(module.warehouse.columns) == setunion(["specversion", "id", "source", "type", "subject", "time", "tenant", "datacontenttype", "traceparent", "data", "schedule"], ["subscription_name", "message_id", "publish_time", "attributes"])
    error_message = "The warehouse has other columns than events have fields."
  }

  assert {
    condition     = length(module.firestore.expiring) > 0 && length(module.firestore.indexes) > 0
    error_message = "No indexes, or nothing expires."
  }
}

run "refuses_a_stale_manifest" {
  command = plan

  plan_options {
    target = [terraform_data.build]
  }

  variables {
    manifest_digest = "0000"
  }

  expect_failures = [terraform_data.build]
}

run "refuses_a_setting_that_no_code_reads" {
  command = plan

  plan_options {
    target = [terraform_data.build]
  }

  variables {
    settings = { NO_SUCH_SETTING = "1" }
  }

  expect_failures = [terraform_data.build]
}

run "refuses_a_secret_that_no_function_reads" {
  command = plan

  plan_options {
    target = [terraform_data.build]
  }

  variables {
    secret_versions = { NO_SUCH_SECRET = 1 }
  }

  expect_failures = [terraform_data.build]
}
