output "database" {
  value = google_firestore_database.this.name
}

output "indexes" {
  description = "Keys of all composite indexes."
  value       = keys(google_firestore_index.this)
}

output "expiring" {
  description = "Fields by whose time documents are deleted."
  value       = [for key, field in google_firestore_field.this : key if length(field.ttl_config) > 0]
}
