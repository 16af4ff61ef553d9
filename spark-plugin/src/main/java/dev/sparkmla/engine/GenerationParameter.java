package dev.sparkmla.engine;

import java.util.function.Function;

/**
 * One generation parameter, declared once in {@link GenerationParameters}.
 *
 * @param name as a query spells it
 * @param range which values are right, as the end of the sentence "It must be ...", for errors and
 *     documentation
 * @param defaultText what holds where it is not given, as the documentation says it
 * @param meaning what it does
 * @param parser reads a value; throws {@link IllegalArgumentException} when it is not right
 * @param <T> the value's type
 */
public record GenerationParameter<T>(
    String name, String range, String defaultText, String meaning, Function<String, T> parser) {
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
