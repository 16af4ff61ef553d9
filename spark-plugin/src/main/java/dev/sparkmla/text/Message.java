package dev.sparkmla.text;

/**
 * One message of a conversation.
 *
 * @param role system, user, assistant or what the model's template knows
 * @param content its text
 */
public record Message(String role, String content) {}
