ALTER TABLE `catalog_items` ADD `schema_hash` text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX `catalog_items_offers` ON `catalog_items` (`tenant`,`kind`,`key`,`server_id`);