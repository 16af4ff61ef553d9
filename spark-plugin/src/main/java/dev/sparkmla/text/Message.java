package dev.sparkmla.text;

/**
 * One message of a conversation.
 *
 * @param role who speaks: system, user, assistant or what the model's template knows
 * @param content what is said
 */
public record Message(String role, String content) {}
