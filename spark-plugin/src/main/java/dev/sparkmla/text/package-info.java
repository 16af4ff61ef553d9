/**
 * Strings to token ids and back.
 *
 * <p>Here live the tokenizer, the chat template and incremental decoding; the templates' language
 * has its own package inside, {@link dev.sparkmla.text.jinja}. What a token means to the model, and
 * when a generation stops, belong to other packages. Start at {@link dev.sparkmla.text.PromptText},
 * which opens the files of a model folder.
 *
 * <p>The tokenizer's native library, which is written in Rust, panics on unexpected input. A panic
 * ends the process, because the JVM's frames cannot be unwound; on a cluster each retry of a row
 * would cost an executor. So nothing that can make the library panic may reach it. A tokenizer.json
 * is read here first and refused unless every part of it is of a kind that is known and checked
 * ({@link dev.sparkmla.text.TokenizerComponents}) and its patterns are proved to take little work
 * ({@link dev.sparkmla.text.LinearPattern}); a text is refused when it has runs of characters that
 * are too long for the engine of the patterns ({@link dev.sparkmla.text.TextRuns}).
 *
 * <p>{@code LinearPattern} only analyses a pattern's form and matches nothing, because the library
 * does the matching. The linear-time engines for Java (RE2/J, Lucene's and Brics' automata) cannot
 * parse the lookaheads and possessive repetitions of published patterns.
 *
 * <p>Three other ways to survive panics were rejected. Trying a tokenizer in a separate process
 * when it is loaded says nothing about later rows. Encoding rows in such a process would copy every
 * text. A layer of C++ that catches panics would have to be built for every platform of the
 * library.
 */
package dev.sparkmla.text;
