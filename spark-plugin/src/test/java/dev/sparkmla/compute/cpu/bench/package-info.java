/**
 * What the CPU backend's operations cost, beside OpenBLAS alone: {@code bin/bench cpu}. JMH
 * benchmarks and the main class that prints their table; no tests.
 */
package dev.sparkmla.compute.cpu.bench;
