/**
 * Strings to token ids and back.
 *
 * <p>Here live the tokenizer, the chat template and incremental decoding; the templates' language
 * has its own room inside, {@link dev.sparkmla.text.jinja}. What a token means to the model, and
 * when a generation stops, do not. Start at {@link dev.sparkmla.text.PromptText}, which opens the
 * files of a model folder.
 */
package dev.sparkmla.text;
