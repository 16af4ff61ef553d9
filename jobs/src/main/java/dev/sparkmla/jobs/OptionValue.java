package dev.sparkmla.jobs;

import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Reads the value of an option that is no {@link Choice}, and says what is wrong with it without
 * the names of Java's types.
 *
 * @param <T> the value's type
 */
abstract sealed class OptionValue<T> implements ITypeConverter<T> {
  private final String expected;

  private OptionValue(String expected) {
    this.expected = expected;
  }

  /**
   * Reads a value.
   *
   * @return empty where it is not one that is expected
   * @throws NumberFormatException where it is to be a number and is none
   */
  abstract Optional<T> read(String value);

  @Override
  public T convert(String value) {
    Optional<T> read;
    try {
      read = read(value);
    } catch (NumberFormatException noNumber) {
      read = Optional.empty();
    }
    return read.orElseThrow(
        () ->
            new TypeConversionException(
                value.isBlank()
                    ? "the value is empty; expected " + expected
                    : "'" + value + "' is not " + expected));
  }

  /** A path, a URI or a name. */
  static final class Name extends OptionValue<String> {
    Name() {
      super("a path, a URI or a name");
    }

    @Override
    Optional<String> read(String value) {
      return Optional.of(value).filter(name -> !name.isBlank());
    }
  }

  /** How many there are of something. */
  static final class Count extends OptionValue<Integer> {
    Count() {
      super("a whole number from 1 to " + Integer.MAX_VALUE);
    }

    @Override
    Optional<Integer> read(String value) {
      return Optional.of(Integer.valueOf(value)).filter(count -> count >= 1);
    }
  }

  /** What something costs. */
  static final class Price extends OptionValue<Double> {
    Price() {
      super("a number above 0");
    }

    @Override
    Optional<Double> read(String value) {
      return Optional.of(Double.valueOf(value))
          .filter(price -> price > 0 && Double.isFinite(price));
    }
  }

  /** For options that need no value. */
  static final class Flag extends OptionValue<Boolean> {
    Flag() {
      super("true or false");
    }

    @Override
    Optional<Boolean> read(String value) {
      return switch (value.toLowerCase(Locale.ROOT)) {
        case "true" -> Optional.of(true);
        case "false" -> Optional.of(false);
        default -> Optional.empty();
      };
    }
  }
}
