variable "project_id" {
  type = string
}

variable "location" {
  type = string
}

variable "topic_id" {
  type = string
}

variable "dead_letter_topic_id" {
  type = string
}

variable "pubsub_agent" {
  description = "IAM member of Pub/Sub's service agent, which writes the rows."
  type        = string
}

variable "days" {
  description = "For how long events and logs are kept."
  type        = number
  default     = 400
}

variable "delete_protection" {
  type    = bool
  default = true
}

variable "kms_key" {
  type    = string
  default = null
}
