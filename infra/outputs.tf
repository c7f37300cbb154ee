output "api_url" {
  value = "https://${var.domain}"
}

output "addresses" {
  description = "For the domain's A and AAAA records."
  value       = module.edge.addresses
}

output "release" {
  value = var.release
}

output "public_paths" {
  description = "A path of each function that requests from outside reach."
  value       = flatten(values(local.functions)[*].paths)
}

output "registry" {
  value = "${var.regions[0]}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.containers.repository_id}"
}

output "deploy_identity" {
  description = "What the workflow needs: its provider and its account."
  value = local.with_github ? {
    provider = google_iam_workload_identity_pool_provider.github[0].name
    account  = google_service_account.deployer[0].email
  } : null
}
