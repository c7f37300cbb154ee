# What the tests need of the manifest: a package for each of its functions, and what must follow from it.

terraform {
  required_version = ">= 1.11"
}

variable "manifest_file" {
  type    = string
  default = "manifest.json"
}

locals {
  text      = file("${path.module}/../../${var.manifest_file}")
  manifest  = jsondecode(local.text)
  functions = { for function in local.manifest.functions : function.name => function }
}

output "digest" {
  value = sha256(local.text)
}

output "functions" {
  value = local.functions
}

output "environment" {
  value = local.manifest.environment
}

output "packages" {
  value = { for name in keys(local.functions) : name => { file = "${name}-${substr(sha256(name), 0, 16)}.zip" } }
}

output "images" {
  value = { for name, function in local.functions : name => "registry/${name}@sha256:0" if function.kind == "service" }
}

output "secrets" {
  description = "Each secret, with the functions that name it."
  value = {
    for secret in distinct(flatten(values(local.functions)[*].secrets)) : secret => [
      for name, function in local.functions : name if contains(function.secrets, secret)
    ]
  }
}

output "jobs" {
  value = merge([for name, function in local.functions : { for job in function.jobs : job.name => merge(job, { function = name }) }]...)
}

output "schedules" {
  value = { for schedule in flatten(values(local.functions)[*].schedules) : schedule.name => schedule }
}

output "paths" {
  value = merge([for name, function in local.functions : { for path in function.paths : path => name }]...)
}
