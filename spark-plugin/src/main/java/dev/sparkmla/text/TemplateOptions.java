package dev.sparkmla.text;

import java.util.Optional;

/**
 * What a chat template is given beside a conversation's messages. Immutable.
 *
 * @param tools the tools that the model may call, as a JSON array
 * @param variables further variables of the template as a JSON object, by name
 * @param continuesFinalMessage whether the last message is the beginning of the answer: then the
 *     prompt ends with its text, without what would end the message or begin another one
 */
public record TemplateOptions(
    Optional<String> tools, Optional<String> variables, boolean continuesFinalMessage) {
  /** No options: the template is given the messages alone. */
  public static final TemplateOptions NONE =
      new TemplateOptions(Optional.empty(), Optional.empty(), false);
}
