output "topic" {
  value = google_pubsub_topic.events.name
}

output "topic_id" {
  value = google_pubsub_topic.events.id
}

output "dead_letter_topic_id" {
  value = google_pubsub_topic.dead_letters.id
}

output "dead_letter_subscription" {
  value = google_pubsub_subscription.dead_letters.name
}

output "push_account" {
  value      = local.push_email
  depends_on = [google_service_account.push]
}

output "pubsub_agent" {
  value = local.pubsub_agent
}

output "subscriptions" {
  description = "What each job's subscription says, for checks."
  value = {
    for name, one in google_pubsub_subscription.job : name => {
      filter       = one.filter
      ordered      = one.enable_message_ordering
      endpoint     = one.push_config[0].push_endpoint
      audience     = one.push_config[0].oidc_token[0].audience
      dead_letters = try(one.dead_letter_policy[0].max_delivery_attempts, 0)
      min_backoff  = one.retry_policy[0].minimum_backoff
      ttl          = one.expiration_policy[0].ttl
    }
  }
}

output "publishers" {
  value = google_pubsub_topic_iam_binding.publishers.members
}

output "agent_roles" {
  description = "Where Pub/Sub's own agent may do what dead letters need of it."
  value = {
    dead_letters  = google_pubsub_topic_iam_binding.dead_letter_publishers.members
    subscriptions = { for name, one in google_pubsub_subscription_iam_binding.agent : name => one.members }
  }
}
