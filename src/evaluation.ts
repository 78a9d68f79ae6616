export * from './evaluation/index';
