package dev.sparkmla.text;

import java.util.Optional;

/**
 * What a chat template is given beside a conversation's messages.
 *
 * @param tools the tools that the model may call, as a JSON array
 * @param variables further variables of the template by name, as a JSON object
 * @param continuesFinalMessage whether the last message is the beginning of the answer: it is laid
 *     out without what ends it, and nothing invites another one
 */
public record TemplateOptions(
    Optional<String> tools, Optional<String> variables, boolean continuesFinalMessage) {
  /** Messages alone. */
  public static final TemplateOptions NONE =
      new TemplateOptions(Optional.empty(), Optional.empty(), false);
}
