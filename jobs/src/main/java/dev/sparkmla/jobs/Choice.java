package dev.sparkmla.jobs;

import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.jobs.input.InputFormat;
import dev.sparkmla.jobs.output.OutputFormat;
import dev.sparkmla.jobs.output.TableFormat;
import dev.sparkmla.plugin.BackendChoice;
import dev.sparkmla.sql.OnError;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Reads one of several words, which are the constants' texts, in either case.
 *
 * @param <T> whose constants
 */
abstract sealed class Choice<T extends Enum<T>> implements ITypeConverter<T> {
  private final List<T> choices;

  private Choice(List<T> choices) {
    this.choices = choices;
  }

  @Override
  public T convert(String word) {
    for (T choice : choices) {
      if (choice.toString().equals(word.toLowerCase(Locale.ROOT))) {
        return choice;
      }
    }
    throw new TypeConversionException(
        "'"
            + word
            + "' is none of "
            + choices.stream().map(Enum::toString).collect(Collectors.joining(", ")));
  }

  /** For {@code --input-format}. */
  static final class OfInputFormat extends Choice<InputFormat> {
    OfInputFormat() {
      super(List.of(InputFormat.values()));
    }
  }

  /** For {@code --output-format}. */
  static final class OfOutputFormat extends Choice<OutputFormat> {
    OfOutputFormat() {
      super(List.of(OutputFormat.values()));
    }
  }

  /** For {@code --table-format}. */
  static final class OfTableFormat extends Choice<TableFormat> {
    OfTableFormat() {
      super(List.of(TableFormat.values()));
    }
  }

  /** For {@code --on-error}; a job has no use for NULL, which would hide the error. */
  static final class OfOnError extends Choice<OnError> {
    OfOnError() {
      super(List.of(OnError.ROW, OnError.FAIL));
    }
  }

  /** For {@code --on-overflow}. */
  static final class OfOverflowPolicy extends Choice<OverflowPolicy> {
    OfOverflowPolicy() {
      super(List.of(OverflowPolicy.values()));
    }
  }

  /** For {@code --backend}. */
  static final class OfBackend extends Choice<BackendChoice> {
    OfBackend() {
      super(List.of(BackendChoice.values()));
    }
  }
}
