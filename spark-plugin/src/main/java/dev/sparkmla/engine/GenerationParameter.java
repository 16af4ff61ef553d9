package dev.sparkmla.engine;

import java.util.List;
import java.util.function.Function;

/**
 * One generation parameter, declared once in {@link GenerationParameters}.
 *
 * @param name as a query spells it
 * @param aliases what other engines call it; a query may spell it so too
 * @param range which values are right, as the end of the sentence "It must be ...", for errors and
 *     documentation
 * @param defaultText what holds where it is not given, as the documentation says it
 * @param meaning what it does
 * @param parser reads a value; throws {@link IllegalArgumentException} when it is not right
 * @param <T> the value's type
 */
public record GenerationParameter<T>(
    String name,
    List<String> aliases,
    String range,
    String defaultText,
    String meaning,
    Function<String, T> parser) {
  /** Copies the list. */
  public GenerationParameter {
    aliases = List.copyOf(aliases);
  }

  /**
   * Reads a value.
   *
   * @throws InvalidParameterException when it is not right
   */
  T parse(String text) {
    try {
      return parser.apply(text);
    } catch (IllegalArgumentException problem) {
      throw new InvalidParameterException(name + " is '" + text + "'; it must be " + range + ".");
    }
  }
}
