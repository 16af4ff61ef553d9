/**
 * Strings to token ids and back.
 *
 * <p>Here live the tokenizer, the chat template and incremental decoding; the templates' language
 * has its own room inside, {@link dev.sparkmla.text.jinja}. What a token means to the model, and
 * when a generation stops, do not. Start at {@link dev.sparkmla.text.PromptText}, which opens the
 * files of a model folder.
 *
 * <p>The tokenizer's native library panics where it meets what it does not expect. A panic unwinds
 * into the JVM's frames, which know no unwinding, and ends the process; on a cluster each retry of
 * a row would cost an executor. So nothing reaches the library that can make it panic. A
 * tokenizer.json is read here first and refused unless every part of it is of a kind that is known
 * and checked ({@link dev.sparkmla.text.TokenizerComponents}) and its patterns are proved to take
 * little work ({@link dev.sparkmla.text.LinearPattern}); a text is refused when its runs are beyond
 * what the patterns' engine bears ({@link dev.sparkmla.text.TextRuns}).
 *
 * <p>{@code LinearPattern} matches nothing; it only reads a pattern's form, because the library
 * itself matches, and the linear-time engines for Java (RE2/J, Lucene's and Brics' automata) do not
 * parse the lookaheads and possessive repetitions that published patterns hold.
 *
 * <p>Three other ways to survive panics were left aside: trying a tokenizer in a process of its own
 * when it is loaded says nothing about the rows to come; encoding rows there would cost a copy of
 * every text and be a second way to do the same; and a layer of C++ that catches what unwinds would
 * have to be built for every platform that the library is.
 */
package dev.sparkmla.text;
