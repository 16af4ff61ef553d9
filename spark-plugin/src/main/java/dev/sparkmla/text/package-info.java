/**
 * Strings to token ids and back.
 *
 * <p>Here live the tokenizer, the chat template and incremental decoding; the templates' language
 * has its own room inside, {@link dev.sparkmla.text.jinja}. What a token means to the model, and
 * when a generation stops, do not. Start at {@link dev.sparkmla.text.PromptText}, which opens the
 * files of a model folder.
 *
 * <p>The tokenizer's native library is built so that a panic of it ends the process: no caller can
 * catch it, and on a cluster each retry of a row would cost an executor. So nothing reaches it that
 * can make it panic. A tokenizer.json is read here first and refused unless every part of it is of
 * a kind that is known and checked ({@link dev.sparkmla.text.TokenizerComponents}) and its patterns
 * are proved to take little work ({@link dev.sparkmla.text.LinearPattern}); a text is refused when
 * its runs are beyond what the patterns' engine bears ({@link dev.sparkmla.text.TextRuns}). Two
 * other ways were left aside: trying a tokenizer in a process of its own when it is loaded says
 * nothing about the rows to come, and encoding rows there would cost a copy of every text and token
 * and be a second way to do the same.
 */
package dev.sparkmla.text;
