output "service" {
  description = "Name of the Cloud Run service under it."
  value       = local.name
}

output "account" {
  value = var.account.email
}

output "environment" {
  value = local.environment
}

output "secrets" {
  description = "Names of the variables that hold secrets."
  value       = { for region, secrets in local.secrets : region => keys(secrets) }
}

output "invokers" {
  value = { for region, binding in google_cloud_run_v2_service_iam_binding.invoker : region => binding.members }
}

output "ingress" {
  value = merge(
    { for region, one in google_cloudfunctions2_function.this : region => one.service_config[0].ingress_settings },
    { for region, one in google_cloud_run_v2_service.this : region => one.ingress },
  )
}

output "roles" {
  description = "Roles that it has on the whole project."
  value       = [google_project_iam_member.firestore.role]
}

output "with_redis" {
  description = "Whether it leaves for the network, where Redis is."
  value       = local.with_redis
}
