# Everything of one environment, by the manifest that npm run manifest writes from the code. No function, job, schedule,
# secret or path is named here.

locals {
  manifest  = jsondecode(file("${path.module}/${var.manifest_file}"))
  functions = { for function in local.manifest.functions : function.name => function }
  primary   = var.regions[0]
  topic     = "events"
  number    = data.google_project.this.number

  jobs      = merge([for name, function in local.functions : { for job in function.jobs : job.name => merge(job, { function = name }) }]...)
  schedules = flatten(values(local.functions)[*].schedules)
  webhooks  = flatten(values(local.functions)[*].webhooks)

  services = { for name in keys(local.functions) : name => "omni-${name}" }

  # Known before the function is there, which its own environment and the bus need:
  # https://cloud.google.com/run/docs/triggering/https-request#deterministic
  urls = {
    for name, service in local.services : name => {
      for region in var.regions : region => "https://${service}-${local.number}.${region}.run.app"
    }
  }

  # The same of accounts, so that a plan shows who may do what. Read over the resources, so that nothing names an account
  # before it is there.
  emails  = { for name, account in google_service_account.function : name => "${account.account_id}@${var.project_id}.iam.gserviceaccount.com" }
  members = { for name, email in local.emails : name => "serviceAccount:${email}" }
  using   = { for use in ["blobs", "locked-blobs", "redis"] : use => [for name, function in local.functions : local.members[name] if contains(function.uses, use)] }

  scheduler_agent = "serviceAccount:service-${local.number}@gcp-sa-cloudscheduler.iam.gserviceaccount.com"

  # What every function is given; a function's own is added in its module.
  environment = merge(
    {
      OMNI_ENVIRONMENT        = "cloud"
      OMNI_VERSION            = var.release
      OMNI_STORE              = "firestore"
      OMNI_DATABASE           = var.database
      OMNI_BUS                = "pubsub"
      OMNI_TOPIC              = local.topic
      OMNI_ISSUER             = "https://${var.domain}"
      OMNI_AUDIENCE           = var.domain
      OMNI_APP_URL            = var.app_url
      OMNI_INTERNAL_ACCOUNTS  = join(",", concat([module.event_bus.push_account], var.operators))
      OMNI_TRUSTED_HOPS       = "1"
      LOG_LEVEL               = var.log_level
      OTEL_TRACES_SAMPLER_ARG = tostring(var.trace_share)
    },
    var.trace_endpoint == "" ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT = var.trace_endpoint },
    contains(local.webhooks[*].provider, "twilio") ? { TWILIO_STATUS_URL = "https://${var.domain}/webhooks/twilio" } : {},
    var.settings,
  )
}

data "google_project" "this" {
  project_id = var.project_id
}

resource "google_project_service" "this" {
  for_each = toset([
    "artifactregistry", "bigquery", "billingbudgets", "cloudbuild", "cloudfunctions", "cloudkms", "cloudresourcemanager",
    "cloudscheduler", "compute", "firestore", "firebaserules", "iam", "iamcredentials", "logging", "monitoring", "pubsub",
    "redis", "run", "secretmanager", "storage", "sts", "vpcaccess",
  ])

  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}

# The manifest and the packages are of one build, or nothing is planned.
resource "terraform_data" "build" {
  input = { release = var.release, manifest = sha256(file("${path.module}/${var.manifest_file}")) }

  lifecycle {
    precondition {
      condition     = var.manifest_digest == "" || var.manifest_digest == sha256(file("${path.module}/${var.manifest_file}"))
      error_message = "The manifest is stale: it is not the one that the packages were built with. Run npm run manifest and npm run build."
    }
    precondition {
      condition     = length(setsubtract(keys(var.settings), local.manifest.environment)) == 0
      error_message = "No code reads these settings: ${join(", ", setsubtract(keys(var.settings), local.manifest.environment))}."
    }
    precondition {
      condition     = length(setintersection(keys(var.settings), flatten(values(local.functions)[*].secrets))) == 0
      error_message = "A secret is no setting: it goes into secret_values."
    }
    precondition {
      condition     = length(setsubtract(keys(var.secret_versions), flatten(values(local.functions)[*].secrets))) == 0
      error_message = "No function reads these secrets: ${join(", ", setsubtract(keys(var.secret_versions), flatten(values(local.functions)[*].secrets)))}."
    }
  }
}

# One account for each function. What it may do, the modules say where the thing is that it may do it to.
resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = "omni-fn-${each.key}"
  display_name = "Function ${each.key}"

  depends_on = [google_project_service.this]
}

module "secrets" {
  source = "./modules/secrets"

  functions        = { for name, function in local.functions : name => { member = local.members[name], secrets = function.secrets, uses = function.uses } }
  regions          = var.regions
  versions         = var.secret_versions
  values           = var.secret_values
  kms_location     = var.kms_location
  protection_level = var.key_protection
  customer_managed = var.customer_managed_keys

  storage_agents = [
    "serviceAccount:service-${local.number}@gcp-sa-firestore.iam.gserviceaccount.com",
    "serviceAccount:service-${local.number}@gs-project-accounts.iam.gserviceaccount.com",
    "serviceAccount:service-${local.number}@gcp-sa-pubsub.iam.gserviceaccount.com",
    "serviceAccount:bq-${local.number}@bigquery-encryption.iam.gserviceaccount.com",
  ]

  depends_on = [google_project_service.this]
}

module "firestore" {
  source = "./modules/firestore"

  name              = var.database
  location          = var.firestore_location
  delete_protection = var.delete_protection
  kms_key           = module.secrets.storage_key
  indexes           = local.manifest.firestore.indexes
  field_overrides   = local.manifest.firestore.fieldOverrides

  depends_on = [google_project_service.this]
}

module "storage" {
  source = "./modules/storage"

  prefix             = var.project_id
  location           = var.storage_location
  kms_key            = module.secrets.storage_key
  lock_retention     = var.lock_retention
  packages           = var.packages
  packages_directory = "${path.module}/${var.packages_directory}"
  blob_users         = local.using["blobs"]
  locked_users       = local.using["locked-blobs"]
  package_readers    = [google_service_account.build.member]

  depends_on = [google_project_service.this]
}

module "event_bus" {
  source = "./modules/event-bus"

  project_id      = var.project_id
  project_number  = local.number
  topic           = local.topic
  kms_key         = module.secrets.storage_key
  publishers      = { for name, function in local.functions : name => local.members[name] if contains(function.uses, "publish") }
  scheduler_agent = local.scheduler_agent

  jobs = {
    for name, job in local.jobs : name => {
      url            = local.urls[job.function][local.primary]
      filter         = job.filter
      ordered        = job.ordered
      ack_deadline   = job.ackDeadline
      max_deliveries = job.maxDeliveries
      backoff        = job.backoff
    }
  }

  depends_on = [google_project_service.this]
}

module "scheduler" {
  source = "./modules/scheduler"

  region    = local.primary
  topic_id  = module.event_bus.topic_id
  paused    = var.standby
  schedules = local.schedules

  depends_on = [google_project_service.this]
}

module "cache" {
  source = "./modules/cache"
  count  = var.redis == null ? 0 : 1

  regions   = var.regions
  tier      = var.redis.tier
  memory_gb = var.redis.memory_gb
  readers   = local.using["redis"]

  depends_on = [google_project_service.this]
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  project_id     = var.project_id
  service        = local.services[each.key]
  urls           = local.urls[each.key]
  regions        = var.regions
  function       = each.value
  environment    = local.environment
  secrets        = module.secrets.secrets
  redis          = var.redis == null ? {} : module.cache[0].urls
  connectors     = var.redis == null ? {} : module.cache[0].connectors
  package        = { bucket = module.storage.packages_bucket, object = lookup(module.storage.packages, each.key, "") }
  image          = lookup(var.images, each.key, "")
  account        = { name = google_service_account.function[each.key].name, email = local.emails[each.key], member = local.members[each.key] }
  build_account  = google_service_account.build.name
  push_account   = module.event_bus.push_account
  operators      = [for email in var.operators : "serviceAccount:${email}"]
  database       = var.database
  encryption_key = module.secrets.encryption_key
  signing_key    = module.secrets.signing_key
  blob_bucket    = module.storage.blobs
  locked_bucket  = module.storage.locked
  min_instances  = var.min_instances
  max_instances  = var.max_instances
  ready          = { indexes = module.firestore.indexes, build = [for one in google_project_iam_member.build : one.role] }
}

module "edge" {
  source = "./modules/edge"

  domain              = var.domain
  regions             = var.regions
  functions           = { for name, function in local.functions : name => { service = local.services[name], paths = function.paths } }
  webhooks            = local.webhooks
  webhook_sources     = var.webhook_sources
  requests_per_minute = var.requests_per_minute
  waf_preview         = var.waf_preview

  depends_on = [google_project_service.this]
}

module "warehouse" {
  source = "./modules/warehouse"

  project_id           = var.project_id
  location             = var.storage_location
  topic_id             = module.event_bus.topic_id
  dead_letter_topic_id = module.event_bus.dead_letter_topic_id
  pubsub_agent         = module.event_bus.pubsub_agent
  delete_protection    = var.delete_protection
  kms_key              = module.secrets.storage_key

  depends_on = [google_project_service.this]
}

module "observability" {
  source = "./modules/observability"

  project_id               = var.project_id
  project_number           = local.number
  domain                   = var.domain
  url_map                  = module.edge.url_map
  services                 = values(local.services)
  dead_letter_subscription = module.event_bus.dead_letter_subscription
  emails                   = var.alert_emails
  billing_account          = var.billing_account
  budget                   = var.budget

  depends_on = [google_project_service.this]
}
