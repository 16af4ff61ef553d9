package dev.sparkmla.jobs.input;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InputFormatTest {
  @ParameterizedTest
  @CsvSource({
    "a.json, JSON",
    "a.b.jsonl, JSON",
    "A.NDJSON, JSON",
    "a.jsonl.gz, JSON",
    "part-0.snappy.parquet, PARQUET",
    "a.csv.zst, CSV",
    "a.txt, TEXT",
    "a.gz,",
    "json,",
    "a.dat,",
    "gz,",
    "'',"
  })
  void goesByTheName(String name, InputFormat format) {
    assertThat(InputFormat.ofName(name).orElse(null)).isEqualTo(format);
  }
}
