package dev.sparkmla.jobs;

import dev.sparkmla.jobs.input.InputException;
import dev.sparkmla.jobs.output.OutputException;
import dev.sparkmla.model.ModelFormatException;
import dev.sparkmla.plugin.GpuRefusedException;
import dev.sparkmla.plugin.InvalidConfigurationException;
import dev.sparkmla.plugin.location.ModelUnavailableException;
import dev.sparkmla.sql.GenerationFailedException;
import dev.sparkmla.sql.ScratchException;
import dev.sparkmla.text.TextFormatException;
import java.io.IOException;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.SparkThrowable;
import org.apache.spark.sql.AnalysisException;

/** What to tell the person who started a job that failed. */
final class FailureMessage {
  /** How the operating system says it. */
  private static final String NO_SPACE = "No space left on device";

  private FailureMessage() {}

  /**
   * One line that says what was wrong and what to do: the message of the first exception, from the
   * outermost to its root cause, that is of a kind made for the person.
   *
   * @return empty where none is, so that it takes a stack trace to understand the failure
   */
  static Optional<String> of(Throwable failure) {
    return Stream.iterate(failure, cause -> cause != null, Throwable::getCause)
        .map(FailureMessage::ofOne)
        .flatMap(Optional::stream)
        .findFirst()
        .map(message -> message.strip().replaceAll("\\s*\\R\\s*", " "));
  }

  private static Optional<String> ofOne(Throwable cause) {
    if (cause instanceof SparkThrowable spark && spark.getCondition() != null) {
      if (spark.getCondition().equals("USER_RAISED_EXCEPTION")) {
        return Optional.of(cause.getMessage());
      }
      if (spark.getCondition().equals("FAILED_READ_FILE.NO_HINT")) {
        String file = spark.getMessageParameters().get("path");
        return Optional.of(file + " cannot be read: " + rootOf(cause).getMessage());
      }
      if (spark.getCondition().equals("SPILL_OUT_OF_MEMORY")) {
        // Spark has only the message of what a task threw when it was asked for its memory.
        return Optional.of(spark.getMessageParameters().get("message"));
      }
      if (spark.getCondition().startsWith("FAILED_READ_FILE.")) {
        return Optional.of(cause.getMessage());
      }
      if (spark.getCondition().equals("SPARK_JOB_CANCELLED")) {
        String reason = spark.getMessageParameters().get("reason");
        return Optional.of(reason.startsWith("because ") ? "the job ended " + reason : reason)
            .filter(text -> !text.isBlank());
      }
    }
    if (cause instanceof IOException
        && !(cause instanceof ScratchException)
        && String.valueOf(cause.getMessage()).contains(NO_SPACE)) {
      return Optional.of(
          "a disk is full: "
              + cause.getMessage()
              + "; free space where spark.local.dir, java.io.tmpdir and the output are");
    }
    boolean isForThePerson =
        cause instanceof JobException
            || cause instanceof InputException
            || cause instanceof OutputException
            || cause instanceof GenerationFailedException
            || cause instanceof ScratchException
            || cause instanceof AnalysisException
            || cause instanceof InvalidConfigurationException
            || cause instanceof GpuRefusedException
            || cause instanceof ModelUnavailableException
            || cause instanceof ModelFormatException
            || cause instanceof TextFormatException;
    return isForThePerson ? Optional.of(cause.getMessage()) : Optional.empty();
  }

  private static Throwable rootOf(Throwable problem) {
    Throwable root = problem;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root;
  }
}
