package dev.sparkmla.plugin;

import java.util.Optional;
import java.util.function.Function;

/**
 * One setting, declared once.
 *
 * @param key its name, which begins with {@link MlaConf#PREFIX}
 * @param defaultText what holds when it is not set, spelled as a person would; empty when nothing
 *     does and the setting is required
 * @param expected which values are right, as the configuration page and errors say it
 * @param doc what it does
 * @param session whether a session may change it between queries with {@code SET}
 * @param parser reads a value; throws {@link IllegalArgumentException} when it is not right
 * @param <T> the value's type
 */
public record ConfEntry<T>(
    String key,
    Optional<String> defaultText,
    String expected,
    String doc,
    boolean session,
    Function<String, T> parser) {

  /**
   * Reads a value.
   *
   * @throws InvalidConfigurationException when it is not what is expected
   */
  T parse(String text) {
    try {
      return parser.apply(text.strip());
    } catch (IllegalArgumentException problem) {
      throw new InvalidConfigurationException(key, text, expected);
    }
  }
}
