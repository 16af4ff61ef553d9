package dev.sparkmla.arrow;

import dev.sparkmla.text.Message;
import java.util.List;

/** What the model is asked to continue. */
public sealed interface Prompt {
  /**
   * A text to continue as it stands; special tokens spelled in it are plain text.
   *
   * @param text the text
   */
  record Raw(String text) implements Prompt {}

  /**
   * A conversation, laid out by the model's chat template.
   *
   * @param messages in order; a role or content that is null makes the row one in error
   */
  record Chat(List<Message> messages) implements Prompt {
    /** Copies the list. */
    public Chat {
      messages = List.copyOf(messages);
    }
  }
}
