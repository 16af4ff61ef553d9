package dev.sparkmla.text;

import java.util.List;

/**
 * The messages that a chat template turns into a prompt, with what else the template is given.
 * Immutable.
 *
 * @param messages in order
 * @param options what the template is given beside the messages
 */
public record Conversation(List<Message> messages, TemplateOptions options) {
  /** Copies the list. */
  public Conversation {
    messages = List.copyOf(messages);
  }

  /** A conversation without further options, after whose messages the assistant's answer begins. */
  public static Conversation of(List<Message> messages) {
    return new Conversation(messages, TemplateOptions.NONE);
  }
}
