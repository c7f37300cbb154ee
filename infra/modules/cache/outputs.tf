output "urls" {
  description = "The secret with the URL of each region's Redis."
  value = {
    for region, one in google_secret_manager_secret_version.url : region => {
      secret  = google_secret_manager_secret.url[region].secret_id
      version = one.version
    }
  }

  depends_on = [google_secret_manager_secret_iam_binding.readers]
}

output "connectors" {
  value = { for region, one in google_vpc_access_connector.this : region => one.id }
}
