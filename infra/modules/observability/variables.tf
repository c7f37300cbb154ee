variable "project_id" {
  type = string
}

variable "project_number" {
  type = string
}

variable "domain" {
  type = string
}

variable "url_map" {
  type = string
}

variable "services" {
  description = "Names of the Cloud Run services under the functions."
  type        = list(string)
}

variable "dead_letter_subscription" {
  type = string
}

variable "emails" {
  description = "Who is told."
  type        = list(string)
}

variable "availability_goal" {
  type    = number
  default = 0.999
}

variable "latency_goal" {
  type    = number
  default = 0.95
}

variable "latency_milliseconds" {
  type    = number
  default = 1000
}

variable "billing_account" {
  description = "Account that pays, for its budget. No budget where empty."
  type        = string
}

variable "budget" {
  description = "Of a month."
  type        = object({ amount = number, currency = string })
}
