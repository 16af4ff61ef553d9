package dev.sparkmla.text;

import java.util.List;

/**
 * What a chat template lays out.
 *
 * @param messages in order
 * @param options what the template is given beside them
 */
public record Conversation(List<Message> messages, TemplateOptions options) {
  /** Copies the list. */
  public Conversation {
    messages = List.copyOf(messages);
  }

  /** Messages and nothing else, the assistant's answer to follow. */
  public static Conversation of(List<Message> messages) {
    return new Conversation(messages, TemplateOptions.NONE);
  }
}
