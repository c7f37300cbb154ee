# Who builds, and who deploys.

# Builds of functions run as this account, which can read packages, write images and logs, and nothing else.
resource "google_service_account" "build" {
  account_id   = "omni-build"
  display_name = "Builds functions"
}

resource "google_project_iam_member" "build" {
  for_each = toset(["roles/artifactregistry.writer", "roles/logging.logWriter"])

  project = var.project_id
  role    = each.key
  member  = google_service_account.build.member
}

# Images of services. Old ones go by themselves.
resource "google_artifact_registry_repository" "containers" {
  location      = var.regions[0]
  repository_id = "omni"
  format        = "DOCKER"

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.this]
}

# The workflow proves who it is by GitHub's own token, so there is no key to keep: only this repository's main branch.
locals {
  with_github = var.github_repository != ""

  # What a deployment makes and changes. It grants roles, so it could grant itself any: who may push to main is who
  # may administer this project.
  deployer_roles = [
    "roles/artifactregistry.admin", "roles/bigquery.admin", "roles/cloudbuild.builds.editor", "roles/cloudfunctions.admin",
    "roles/cloudkms.admin", "roles/cloudscheduler.admin", "roles/compute.loadBalancerAdmin", "roles/compute.networkAdmin",
    "roles/compute.securityAdmin", "roles/datastore.owner", "roles/firebaserules.admin", "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountUser", "roles/iam.workloadIdentityPoolAdmin", "roles/logging.configWriter",
    "roles/monitoring.admin", "roles/pubsub.admin", "roles/redis.admin", "roles/resourcemanager.projectIamAdmin",
    "roles/run.admin", "roles/secretmanager.admin", "roles/serviceusage.serviceUsageAdmin", "roles/storage.admin",
    "roles/vpcaccess.admin",
  ]
}

resource "google_service_account" "deployer" {
  count = local.with_github ? 1 : 0

  account_id   = "omni-deployer"
  display_name = "Deploys from the repository"
}

resource "google_project_iam_member" "deployer" {
  for_each = local.with_github ? toset(local.deployer_roles) : toset([])

  project = var.project_id
  role    = each.key
  member  = google_service_account.deployer[0].member
}

resource "google_iam_workload_identity_pool" "github" {
  count = local.with_github ? 1 : 0

  workload_identity_pool_id = "github"
}

resource "google_iam_workload_identity_pool_provider" "github" {
  count = local.with_github ? 1 : 0

  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"

  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.repository" = "assertion.repository"
    "attribute.ref"        = "assertion.ref"
  }
  attribute_condition = "assertion.repository == '${var.github_repository}' && assertion.ref == 'refs/heads/main'"

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account_iam_binding" "github" {
  count = local.with_github ? 1 : 0

  service_account_id = google_service_account.deployer[0].name
  role               = "roles/iam.workloadIdentityUser"
  members = [
    "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github[0].name}/attribute.repository/${var.github_repository}",
  ]
}
