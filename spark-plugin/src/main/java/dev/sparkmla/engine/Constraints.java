package dev.sparkmla.engine;

import static dev.sparkmla.engine.GenerationParameters.RESPONSE_FORMAT;
import static dev.sparkmla.engine.GenerationParameters.RESPONSE_WHITE_SPACE;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.grammar.InvalidResponseFormatException;
import dev.sparkmla.grammar.WhiteSpace;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.text.Thinking;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What rows are constrained by, made of their parameters. The automata of the formats that were
 * asked for last are kept, and what was wrong with those that have none, so that a format is read
 * once for many rows. Not thread-safe.
 */
final class Constraints {
  /** Formats that are kept. */
  private static final int MOST_FORMATS = 256;

  /** Edges of the automata that are kept together: 256 MiB. */
  private static final long MOST_EDGES = 1L << 26;

  private final Vocabulary vocabulary;
  private final Thinking thinking;

  /** The one that was asked for longest ago comes first. */
  private final Map<Format, Outcome> outcomes = new LinkedHashMap<>(16, 0.75f, true);

  private long edges;

  private record Format(String text, WhiteSpace whiteSpace) {}

  /** What a format is read as: an automaton, or what is wrong with it. */
  private sealed interface Outcome {
    record Automaton(ByteAutomaton automaton) implements Outcome {}

    record Problem(String message) implements Outcome {}
  }

  Constraints(Vocabulary vocabulary, Thinking thinking) {
    this.vocabulary = vocabulary;
    this.thinking = thinking;
  }

  /**
   * What a row is constrained by.
   *
   * @param opensThoughts the kind of its prompt, where that has opened the model's thoughts, which
   *     the answer follows; else empty
   * @return empty where it names no format
   * @throws RowErrorException where its format cannot be used, or not after such thoughts
   */
  Optional<Constraint> of(GenerationParameters parameters, Optional<PromptKind> opensThoughts) {
    Optional<String> text = parameters.get(RESPONSE_FORMAT);
    if (text.isEmpty()) {
      return Optional.empty();
    }
    if (opensThoughts.isPresent() && thinking.isPlainText()) {
      throw new RowErrorException(
          ErrorCode.INVALID_PARAMETER,
          "response_format cannot follow the model's thoughts, which end with '"
              + thinking.closing()
              + "', a text and not a token; "
              + withoutThoughts(opensThoughts.get())
              + ".");
    }
    Format format =
        new Format(text.get(), parameters.get(RESPONSE_WHITE_SPACE).orElse(WhiteSpace.COMPACT));
    Outcome outcome = outcomes.get(format);
    if (outcome == null) {
      outcome = read(parameters);
      keep(format, outcome);
    }
    if (outcome instanceof Outcome.Problem problem) {
      throw new RowErrorException(ErrorCode.INVALID_PARAMETER, problem.message());
    }
    return Optional.of(
        new Constraint(
            ((Outcome.Automaton) outcome).automaton(),
            vocabulary.bytes(),
            opensThoughts.isPresent() ? thinking.closingToken() : OptionalInt.empty()));
  }

  /** How a person keeps a prompt from opening thoughts. */
  private String withoutThoughts(PromptKind prompt) {
    return switch (prompt) {
      case TEXT ->
          "end the prompt without '"
              + thinking.opening()
              + "', or with '"
              + thinking.closing()
              + "' after it";
      case CONVERSATION -> "switch them off (chat_template_kwargs)";
      case CONTINUED_MESSAGE ->
          "close them with '" + thinking.closing() + "' in the message that is continued";
    };
  }

  private Outcome read(GenerationParameters parameters) {
    try {
      return new Outcome.Automaton(
          parameters.responseFormat().orElseThrow().automaton(vocabulary.bytes()));
    } catch (InvalidParameterException problem) {
      return new Outcome.Problem(problem.getMessage());
    } catch (InvalidResponseFormatException problem) {
      return new Outcome.Problem(InvalidParameterException.of(problem).getMessage());
    }
  }

  private void keep(Format format, Outcome outcome) {
    outcomes.put(format, outcome);
    edges += edges(outcome);
    while (outcomes.size() > MOST_FORMATS || (edges > MOST_EDGES && outcomes.size() > 1)) {
      Format oldest = outcomes.keySet().iterator().next();
      edges -= edges(outcomes.remove(oldest));
    }
  }

  private static long edges(Outcome outcome) {
    return outcome instanceof Outcome.Automaton made
        ? (long) made.automaton().states() * made.automaton().classes()
        : 0;
  }
}
