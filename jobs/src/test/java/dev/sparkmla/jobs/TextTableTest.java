package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class TextTableTest {
  @Test
  void alignsColumnsAndKeepsARowOnALine() {
    TextTable table = new TextTable("id", "answer", "");
    table.add("doc-1", "two\nlines", "right");
    table.add("2", null, "");
    table.add("3", "x".repeat(100), "");

    assertThat(printed(table).lines())
        .containsExactly(
            "id     answer" + " ".repeat(58).stripTrailing(),
            "-".repeat(5 + 2 + 64 + 2 + 5),
            "doc-1  two lines" + " ".repeat(55) + "  right",
            "2",
            "3      " + "x".repeat(61) + "...");
  }

  private static String printed(TextTable table) {
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    table.print(new PrintStream(written, true, StandardCharsets.UTF_8));
    return written.toString(StandardCharsets.UTF_8);
  }
}
